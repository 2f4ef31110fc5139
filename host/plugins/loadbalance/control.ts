// The main-thread half of `weighted`: reads the file of weights again and again, and publishes those of each name.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { composeName, NameError, spelledText } from '../../dns/name.ts';
import { UserError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Control, ControlServices, RecordStore } from '../../plugin/contract.ts';
import { durationText } from '../../plugin/duration-text.ts';
import type { WeightsConfig } from './parse.ts';
import { parseWeights, WeightFileError, type Weights } from './weight-file.ts';

export interface WeightsControl extends Control {
  /** Byte offset of the store of weights. */
  readonly records: number;
}

/** Longer delays make Node's timers fire at once. */
const INTERVAL_MS_MAX = 2 ** 31 - 1;

export function createControl(config: WeightsConfig, services: ControlServices): WeightsControl {
  const store = services.createRecords();
  const file = new WatchedWeights(config, store, services.log.withPrefix('plugin/loadbalance'));
  return {
    records: store.address,
    start: () => file.start(),
    async stop() {
      file.stop();
      store.release();
    },
  };
}

/** The file cannot be opened: while it is looked for again that is no reason to refuse to start. */
class OpenError extends Error {}

class WatchedWeights {
  readonly #config: WeightsConfig;
  readonly #store: RecordStore;
  readonly #log: Log;
  #keys = new Map<string, Uint8Array>();
  /** MD5 of the content that was taken or found wrong last: the same is not looked at again. */
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #isReading: boolean = false;
  #isStopped: boolean = false;

  constructor(config: WeightsConfig, store: RecordStore, log: Log) {
    this.#config = config;
    this.#store = store;
    this.#log = log;
  }

  async start(): Promise<void> {
    const { reloadMs } = this.#config;
    try {
      await this.#read();
    } catch (error) {
      const { message } = error as Error;
      if (!(error instanceof OpenError) || reloadMs === 0) throw new UserError(message);
      this.#log.warning(`Failed to open weight file:${message}. Will try again in ${durationText(reloadMs)}`);
    }
    if (reloadMs === 0 || this.#isStopped) return;
    this.#timer = setInterval(() => void this.#poll(), Math.min(reloadMs, INTERVAL_MS_MAX)).unref();
  }

  stop(): void {
    this.#isStopped = true;
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    if (this.#isReading) return;
    try {
      await this.#read();
    } catch (error) {
      if (!this.#isStopped) this.#log.error((error as Error).message);
    }
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      const { file } = this.#config;
      const content = await readContent(file);
      const digest = createHash('md5').update(content).digest('hex');
      if (digest === this.#seen || this.#isStopped) return;
      this.#seen = digest;
      this.#publish(parseWeights(content.toString('utf8'), file));
      this.#log.info(`Successfully reloaded weight file ${file}`);
    } finally {
      this.#isReading = false;
    }
  }

  #publish(weights: Weights): void {
    const keys = new Map<string, Uint8Array>();
    for (const [name, list] of weights) {
      const key = keyOf(name);
      if (key === undefined) continue;
      keys.set(name, key);
      this.#store.put(key, [{ type: 'TXT', rdata: list }]);
    }
    for (const [name, key] of this.#keys) if (!keys.has(name)) this.#store.remove(key);
    this.#keys = keys;
  }
}

async function readContent(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    // A directory can be opened, but not read.
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') throw new WeightFileError(`read ${file}: is a directory`);
    throw new OpenError('weight file open error');
  }
}

/** undefined: no owner is spelt like this. */
function keyOf(name: string): Uint8Array | undefined {
  try {
    const key = composeName(name);
    return spelledText(key) === name ? key : undefined;
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
}
