// The main-thread half of plugin hosts: reads the file when its size or time of change is another, and publishes the
// names.

import { open } from 'node:fs/promises';
import type { Log } from '../../log.ts';
import type { Control, ControlServices } from '../../plugin/contract.ts';
import { type HostsTable, parseHostsText } from './hosts-file.ts';
import { type HostsMetrics, hostsMetrics } from './metrics.ts';
import { mergedOwners } from './owners.ts';
import type { HostsConfig } from './parse.ts';
import { PublishedHosts } from './published.ts';

export interface HostsControl extends Control {
  /** Byte offset of the record store. */
  readonly records: number;
}

export function createControl(config: HostsConfig, services: ControlServices): HostsControl {
  const log = services.log.withPrefix('plugin/hosts');
  for (const warning of config.warnings) log.warning(warning);
  const published = new PublishedHosts(services.createRecords());
  const file = new WatchedHosts(config, published, log, hostsMetrics(services.metrics));
  return {
    records: published.address,
    start: () => file.start(),
    async stop() {
      file.stop();
      published.release();
    },
  };
}

class WatchedHosts {
  readonly #config: HostsConfig;
  readonly #published: PublishedHosts;
  readonly #log: Log;
  readonly #metrics: HostsMetrics;
  readonly #inline: HostsTable;
  /** Size and time of change of what was read last. */
  #seen = '';
  #timer: NodeJS.Timeout | undefined;
  #isReading: boolean = false;
  #isStopped: boolean = false;

  constructor(config: HostsConfig, published: PublishedHosts, log: Log, metrics: HostsMetrics) {
    this.#config = config;
    this.#published = published;
    this.#log = log;
    this.#metrics = metrics;
    this.#inline = parseHostsText(config.inline.join('\n'), config);
  }

  async start(): Promise<void> {
    await this.#published.replace(mergedOwners([this.#inline]));
    await this.#read();
    if (this.#config.reloadMs === 0 || this.#isStopped) return;
    this.#timer = setInterval(() => void this.#poll(), Math.min(this.#config.reloadMs, INTERVAL_MS_MAX)).unref();
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
      this.#log.error((error as Error).message);
    }
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    try {
      const file = await readIfChanged(this.#config.file, this.#seen);
      if (file === undefined || this.#isStopped) return;
      const table = parseHostsText(file.text, this.#config);
      this.#log.debug(`Parsed hosts file into ${table.entries} entries`);
      await this.#published.replace(mergedOwners([table, this.#inline]));
      this.#seen = file.state;
      this.#metrics.loaded(this.#config.file, table.entries + this.#inline.entries, file.modifiedSeconds);
    } finally {
      this.#isReading = false;
    }
  }
}

/** Longer delays make Node's timers fire at once. */
const INTERVAL_MS_MAX = 2 ** 31 - 1;

interface ReadFile {
  readonly state: string;
  readonly text: string;
  readonly modifiedSeconds: number;
}

/** undefined: not there, not readable, or as it was. What is no regular file has no lines. */
async function readIfChanged(path: string, seen: string): Promise<ReadFile | undefined> {
  try {
    await using file = await open(path);
    const stat = await file.stat({ bigint: true });
    const state = `${stat.size} ${stat.mtimeNs}`;
    if (state === seen) return undefined;
    const text = stat.isFile() ? await file.readFile('utf8') : '';
    return { state, text, modifiedSeconds: Number(stat.mtimeNs) / 1e9 };
  } catch {
    return undefined;
  }
}
