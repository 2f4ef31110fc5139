// The main-thread half of `weighted`: reads the file of weights again and again, and publishes those of each name.

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { spelledKey } from '../../dns/name.ts';
import { UserError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Control, ControlServices, RecordStore } from '../../plugin/contract.ts';
import { durationText } from '../../plugin/duration-text.ts';
import { FilePoll } from '../../plugin/file-poll.ts';
import type { WeightsConfig } from './parse.ts';
import { parseWeights, WeightFileError, type Weights } from './weight-file.ts';

export interface WeightsControl extends Control {
  /** Byte offset of the store of weights. */
  readonly records: number;
}

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
  readonly #poll: FilePoll;
  #keys = new Map<string, Uint8Array>();
  /** MD5 of the content that was taken or found wrong last: the same is not looked at again. */
  #seen = '';

  constructor(config: WeightsConfig, store: RecordStore, log: Log) {
    this.#config = config;
    this.#store = store;
    this.#log = log;
    this.#poll = new FilePoll(() => this.#read(), log);
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
    this.#poll.begin(reloadMs);
  }

  stop(): void {
    this.#poll.stop();
  }

  async #read(): Promise<void> {
    const { file } = this.#config;
    const content = await readContent(file);
    const digest = createHash('md5').update(content).digest('hex');
    if (digest === this.#seen || this.#poll.isStopped) return;
    this.#seen = digest;
    this.#publish(parseWeights(content.toString('utf8'), file));
    this.#log.info(`Successfully reloaded weight file ${file}`);
  }

  #publish(weights: Weights): void {
    const keys = new Map<string, Uint8Array>();
    for (const [name, list] of weights) {
      const key = spelledKey(name);
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
