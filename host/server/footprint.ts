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

/** Behind a burst of work, such as the first sync with the API server: free pages go back to the kernel. */
export function trimFootprint(): void {
  const sockets = loadSockets();
  if (!('unavailable' in sockets)) sockets.trimHeap();
}
