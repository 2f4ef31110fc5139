// The main-thread half of plugin hosts: reads the file when its size or time of change is another, and publishes the
// names.

import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { Log } from '../../log.ts';
import type { Control, ControlServices } from '../../plugin/contract.ts';
import { FilePoll } from '../../plugin/file-poll.ts';
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
  readonly #poll: FilePoll;
  /** Size and time of change of what was read last. */
  #seen = '';

  constructor(config: HostsConfig, published: PublishedHosts, log: Log, metrics: HostsMetrics) {
    this.#config = config;
    this.#published = published;
    this.#log = log;
    this.#metrics = metrics;
    this.#inline = parseHostsText(config.inline.join('\n'), config);
    this.#poll = new FilePoll(() => this.#read(), log);
  }

  /** Reads before anything else: with several blocks the last one of them sets the metrics, as in CoreDNS. */
  async start(): Promise<void> {
    const isRead = await this.#read();
    if (!isRead) await this.#published.replace(mergedOwners([this.#inline]));
    this.#poll.begin(this.#config.reloadMs);
  }

  stop(): void {
    this.#poll.stop();
  }

  /** False: there was nothing new. */
  async #read(): Promise<boolean> {
    const file = readIfChanged(this.#config.file, this.#seen);
    if (file === undefined) return false;
    const table = parseHostsText(file.text, this.#config);
    this.#log.debug(`Parsed hosts file into ${table.entries} entries`);
    this.#seen = file.state;
    this.#metrics.loaded(this.#config.file, table.entries + this.#inline.entries, file.modifiedSeconds);
    await this.#published.replace(mergedOwners([table, this.#inline]));
    return true;
  }
}

interface ReadFile {
  readonly state: string;
  readonly text: string;
  readonly modifiedSeconds: number;
}

/** undefined: not there, not readable, or as it was. What is no regular file has no lines. */
function readIfChanged(path: string, seen: string): ReadFile | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const stat = fstatSync(file, { bigint: true });
    const state = `${stat.size} ${stat.mtimeNs}`;
    if (state === seen) return undefined;
    const text = stat.isFile() ? readFileSync(file, 'utf8') : '';
    return { state, text, modifiedSeconds: Number(stat.mtimeNs) / 1e9 };
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
