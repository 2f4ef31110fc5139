// One shard from the main thread's side: its worker while it lives, the requests under way, and what a dead one leaves.

import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Piscina } from 'piscina';
import { closeLedger, createLedger, muteLedger } from '../net/ledger.ts';
import type { NativeSockets } from '../net/sockets.ts';
import type { Done, Failed, FromShard, Loaded, Notice, Panicked, Released, ShardTask, ToShard } from './messages.ts';

/** Listeners, TCP connections, and the sockets to every upstream. */
const DESCRIPTORS_MAX = 24576;
/** A terminated worker that does not end within this time leaves its descriptors open rather than closing another's. */
const END_MS = 5000;

/** A request before it gets its number. */
export type Request = ToShard extends infer Each ? (Each extends { id: number } ? Omit<Each, 'id'> : never) : never;
type Answer = Loaded | Done | Failed;
/** What a shard says of itself. */
type Unasked = Released | Notice | Panicked;

interface Waiting {
  resolve(answer: Loaded | Done): void;
  reject(error: Error): void;
}

/** Piscina derives its type from an overload of postMessage() that names options. */
type TransferList = NonNullable<NonNullable<Parameters<Piscina['run']>[1]>['transferList']>;

export class ShardHandle {
  readonly shard: number;
  /** The generation it serves, 0 = none yet. */
  generation = 0;
  /** Why it was terminated; undefined = it was not. */
  terminatedFor: string | undefined;
  readonly #task: Omit<ShardTask, 'port' | 'ledger' | 'shard'>;
  readonly #onMessage: (message: Unasked) => void;
  readonly #ledger = createLedger(DESCRIPTORS_MAX);
  readonly #waiting = new Map<number, Waiting>();
  #port: MessagePort | undefined;
  #abort: AbortController | undefined;
  #sockets: NativeSockets | undefined;
  #nextId = 1;

  constructor(
    shard: number,
    task: Omit<ShardTask, 'port' | 'ledger' | 'shard'>,
    onMessage: (message: Unasked) => void,
  ) {
    this.shard = shard;
    this.#task = task;
    this.#onMessage = onMessage;
  }

  get isRunning(): boolean {
    return this.#port !== undefined;
  }

  /**
   * Runs the shard's task to its end. Resolves with undefined after Stop, with the error after a crash; in both cases
   * its thread has ended and its descriptors are closed.
   */
  async run(pool: Piscina, sockets: NativeSockets | undefined): Promise<Error | undefined> {
    const { port1, port2 } = new MessageChannel();
    const abort = new AbortController();
    this.#port = port1;
    this.#abort = abort;
    this.#sockets = sockets;
    this.generation = 0;
    this.terminatedFor = undefined;
    port1.on('message', (message: FromShard) => this.#receive(message));
    const ended = new Promise<boolean>((resolve) => {
      port1.once('close', () => resolve(true));
    });
    const task: ShardTask = { ...this.#task, shard: this.shard, ledger: this.#ledger, port: port2 };
    let failure: Error | undefined;
    try {
      const transferList = [port2] as unknown as TransferList;
      await pool.run(task, { transferList, signal: abort.signal });
    } catch (error) {
      failure = error instanceof Error ? error : new Error(String(error));
    }
    this.#port = undefined;
    this.#rejectAll(new Error(`shard ${this.shard} has ended: ${this.terminatedFor ?? failure?.message ?? 'stopped'}`));
    const hasEnded = await Promise.race([ended, pause(END_MS).then(() => false)]);
    port1.close();
    if (hasEnded && sockets !== undefined) closeLedger(sockets, this.#ledger);
    return failure;
  }

  /** Rejects when the shard answers with Failed, ends, or does not answer within the time. */
  request(request: Request, withinMs: number): Promise<Loaded | Done> {
    const port = this.#port;
    if (port === undefined) return Promise.reject(new Error(`shard ${this.shard} is not running`));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Error(`shard ${this.shard} did not answer "${request.kind}" within ${withinMs / 1000}s`));
      }, withinMs);
      this.#waiting.set(id, {
        resolve: (answer) => {
          clearTimeout(timer);
          resolve(answer);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      port.postMessage({ ...request, id });
    });
  }

  /** Ends the worker at once; run() resolves with an error. */
  terminate(reason: string): void {
    this.terminatedFor ??= reason;
    if (this.#sockets !== undefined) muteLedger(this.#sockets, this.#ledger);
    this.#abort?.abort();
  }

  #receive(message: FromShard): void {
    if ('id' in message) this.#settle(message);
    else this.#onMessage(message);
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id);
    this.#waiting.delete(answer.id);
    if (answer.kind === 'failed') waiting?.reject(new Error(answer.message));
    else waiting?.resolve(answer);
  }

  #rejectAll(error: Error): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const each of waiting) each.reject(error);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}
