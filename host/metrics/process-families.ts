// process_* (and nodejs_*) families, as prom-client gives them.

import { collectDefaultMetrics, Registry } from 'prom-client';
import osMemoryHeap from 'prom-client/lib/metrics/osMemoryHeap.js';
import processCpuTotal from 'prom-client/lib/metrics/processCpuTotal.js';
import processMaxFileDescriptors from 'prom-client/lib/metrics/processMaxFileDescriptors.js';
import processOpenFileDescriptors from 'prom-client/lib/metrics/processOpenFileDescriptors.js';
import processStartTime from 'prom-client/lib/metrics/processStartTime.js';
import type { ProcessFamilies } from './registry.ts';

const PROCESS_PARTS = [
  processCpuTotal,
  processStartTime,
  osMemoryHeap,
  processOpenFileDescriptors,
  processMaxFileDescriptors,
];

export function createProcessFamilies(): ProcessFamilies {
  let registry = new Registry();
  let hasRuntime = false;
  for (const collect of PROCESS_PARTS) collect(registry);
  return {
    expose: () => registry.metrics(),
    enableRuntimeMetrics: () => {
      if (hasRuntime) return;
      hasRuntime = true;
      // Runtime families come with observers that cost a little all the time: only when asked for.
      registry = new Registry();
      collectDefaultMetrics({ register: registry });
    },
  };
}
