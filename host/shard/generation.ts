// One loaded configuration as a shard holds it. Queries that left the fast face keep the configuration they came in
// under until they end, so an old generation lives on until the last of them is answered.

import type { Link } from '../plugin/chain.ts';
import type { Endpoint, ExchangeHandle, Plugin, ServerBlock } from '../plugin/contract.ts';

export interface BlockChain {
  readonly block: ServerBlock;
  /** One link for each word of block.plugins, in that order: the engine's STEP_PLUGIN is an index into it. */
  readonly links: readonly Link[];
  /** The plugin that takes the block's log lines. */
  readonly logger: Plugin | undefined;
}

export interface Generation {
  readonly number: number;
  /** By ServerBlock.index. */
  readonly blocks: ReadonlyMap<number, BlockChain>;
  /** Exchanges that began under it and have not ended. */
  openCount: number;
  /** Called when openCount comes down to 0. */
  onIdle: (() => void) | undefined;
  /** A plugin threw where nobody waits for it. */
  onPanic(plugin: string, error: unknown): void;
}

/** One address being listened on; both its sockets share it, and a reload changes what it serves. */
export interface Listening {
  readonly address: string;
  readonly port: number;
  /** The metric label: `dns://:53`. */
  server: string;
  isDebugging: boolean;
  showsStack: boolean;
  /** Address of the LISTENER entry in the program. */
  program: number;
  generation: Generation;
}

/** How the reply of an exchange gets to who asked. */
export interface ReplyPath {
  readonly listening: Listening;
  readonly proto: number;
  /** LogEntry.local */
  readonly localAddress: string;
  /** The exchange has ended; `bytes` 0: without a reply. The message is valid during the call. */
  reply(handle: ExchangeHandle, exchangeAt: number, messageAt: number, bytes: number): void;
  /** Where the query was sent to. */
  local(exchangeAt: number): Endpoint;
  /** Takes the reply as it came, in place of the engine's finish(). */
  takeRaw?(reply: RawReply): void;
}

export type RawReply =
  | { readonly kind: 'message'; readonly octets: Uint8Array }
  | { readonly kind: 'failure'; readonly rcode: number; readonly text: string }
  | { readonly kind: 'drop' };
