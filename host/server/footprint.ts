// Memory that the process keeps though it needs it no more. A DNS server shares its node with what pays for the node, so
// the runtime is told to keep little: V8 grows its young generation to 16 MiB and more, and glibc keeps an arena of its
// own for every thread that ever allocated.

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { loadSockets } from '../net/sockets.ts';

/** Before anything is loaded: V8 reads these when its heaps grow. */
export function limitFootprint(): void {
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=2');
  // A server has one core or the others are busy with queries: more threads of the collector only get in the way.
  setFlagsFromString('--no-parallel-scavenge');
  const sockets = loadSockets();
  if (!('unavailable' in sockets)) sockets.limitArenas(1);
}

const LOOK_MS = 2000;
/** Growth that is worth a look at the heaps. */
const GROWTH_BYTES = 4 << 20;

/**
 * Gives free pages of malloc's heaps back to the kernel when the process has grown: after the first sync with the API
 * server, after a storm of connections. Once it grows no more, the pages of its program that only the start needed are
 * given back too. Returns what ends it.
 */
export function watchFootprint(): () => void {
  const sockets = loadSockets();
  if ('unavailable' in sockets) return () => {};
  let trimmedBytes = 0;
  let isStarting = true;
  const look = () => {
    if (process.memoryUsage.rss() >= trimmedBytes + GROWTH_BYTES) sockets.trimHeap();
    else if (isStarting) {
      isStarting = false;
      for (const [address, bytes] of programMappings(ownMappings(), process.execPath))
        sockets.unmapPages(address, bytes);
    } else return;
    trimmedBytes = process.memoryUsage.rss();
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** '' where the kernel does not tell. */
function ownMappings(): string {
  try {
    return readFileSync('/proc/self/smaps', 'latin1');
  } catch {
    return '';
  }
}

/** Mappings of an executable without a page of our own in them: what is in them stands in the file. */
export function programMappings(smaps: string, executable: string): (readonly [address: number, bytes: number])[] {
  return smaps.split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/).flatMap((mapping) => {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) r-[-x]p \S+ \S+ \d+ +(\S.*)/.exec(mapping) ?? [];
    const isClean = /^Private_Dirty: +0 kB$/m.test(mapping) && /^Anonymous: +0 kB$/m.test(mapping);
    if (start === undefined || end === undefined || path !== executable || !isClean) return [];
    const address = Number.parseInt(start, 16);
    return [[address, Number.parseInt(end, 16) - address] as const];
  });
}
