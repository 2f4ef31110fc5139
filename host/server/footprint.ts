// Memory that the process keeps though it needs it no more. A DNS server shares its node with what pays for the node, so
// the runtime is told to keep little: V8 grows its young generation to 16 MiB and more, and glibc keeps an arena of its
// own for every thread that ever allocated.

import { setFlagsFromString } from 'node:v8';
import { loadSockets } from '../net/sockets.ts';

/** Before anything is loaded: V8 reads these when its heaps grow. */
export function limitFootprint(): void {
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--max-semi-space-size=2');
  setFlagsFromString('--semi-space-growth-factor=2');
  const sockets = loadSockets();
  if (!('unavailable' in sockets)) sockets.limitArenas(1);
}

const LOOK_MS = 2000;
/** Growth that is worth a look at the heaps. */
const GROWTH_BYTES = 4 << 20;

/**
 * Gives free pages of malloc's heaps back to the kernel when the process has grown: after the first sync with the API
 * server, after a storm of connections. Returns what ends it.
 */
export function watchFootprint(): () => void {
  const sockets = loadSockets();
  if ('unavailable' in sockets) return () => {};
  let trimmedBytes = 0;
  const timer = setInterval(() => {
    if (process.memoryUsage.rss() < trimmedBytes + GROWTH_BYTES) return;
    sockets.trimHeap();
    trimmedBytes = process.memoryUsage.rss();
  }, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
