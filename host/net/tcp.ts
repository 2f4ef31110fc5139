// Which TCP streams a shard uses.

import type { NativeSockets } from './sockets.ts';
import type { OnStream, StreamListener } from './stream.ts';
import { listenNative } from './stream-native.ts';
import { listenNode } from './stream-node.ts';
import { StreamPoll } from './stream-poll.ts';

/** Opens the listeners of one thread. */
export class StreamOpener {
  readonly #sockets: NativeSockets | undefined;
  #poll: StreamPoll | undefined;

  /** @param sockets absent: node:net */
  constructor(sockets: NativeSockets | undefined) {
    this.#sockets = sockets;
  }

  /** Rejects with ListenError. */
  async listen(address: string, port: number, onStream: OnStream): Promise<StreamListener> {
    const sockets = this.#sockets;
    if (sockets === undefined) return listenNode(address, port, onStream);
    this.#poll ??= new StreamPoll(sockets);
    return listenNative(sockets, this.#poll, { address, port }, onStream);
  }

  /** Nothing is watched any more; listeners and connections must be closed before. */
  close(): void {
    this.#poll?.close();
    this.#poll = undefined;
  }
}
