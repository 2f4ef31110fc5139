// How many TCP connections a shard may have. Each costs a descriptor, and where they take all of them nothing else opens:
// no socket to an upstream, no scrape. Beyond the bound the one silent longest makes room; at the limit of open files
// every new one would be closed.

import { SHARD_SETTINGS } from '../engine/messages.ts';
import { type ReadText, readText } from './shard-count.ts';

/** Kept for everything else: listeners, upstreams, the watch, the HTTP endpoints. Of a low limit half. */
const OTHERS = 1024;
/** Fewer are worth a line in the log. */
const FEW = 512;

export interface StreamLimit {
  readonly connectionsMax: number;
  /** For the log; undefined = nothing to say. */
  readonly warning: string | undefined;
}

export function streamLimit(shardCount: number, read: ReadText = readText): StreamLimit {
  const wanted = SHARD_SETTINGS.tcp.connectionsMax;
  const files = openFilesMax(read);
  const share = Math.floor((files - Math.min(OTHERS, files / 2)) / shardCount);
  const connectionsMax = Math.max(1, Math.min(wanted, share));
  const warning = `at most ${connectionsMax} TCP connections a shard: the limit of open files is ${files}`;
  return { connectionsMax, warning: connectionsMax < FEW ? warning : undefined };
}

/** The soft limit, which Node has raised to the hard one; Infinity where there is none, or none is known. */
function openFilesMax(read: ReadText): number {
  const soft = /^Max open files +(\d+)/m.exec(read('/proc/self/limits') ?? '')?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}
