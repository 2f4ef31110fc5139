// ControlServices with everything a main-thread half of a small plugin asks for; logged lines are kept.

import { createLog, type Log } from '../../../host/log.ts';
import { createMetrics, type Metrics } from '../../../host/metrics/registry.ts';
import { writerOver } from '../../../host/metrics/slots.ts';
import type { ControlServices, Readiness, ServerBlock, Shared, Stoppable } from '../../../host/plugin/contract.ts';

export interface TestServices {
  readonly services: ControlServices;
  readonly lines: string[];
  readonly metrics: Metrics;
  readonly readiness: Map<string, Readiness>;
}

export function testServices(): TestServices {
  const lines: string[] = [];
  const log: Log = createLog((line) => lines.push(line.trimEnd()));
  const slots = new Float64Array(2048);
  const metrics = createMetrics({
    read: (slot) => slots[slot] ?? 0,
    slots: writerOver(slots),
    slotCount: slots.length,
  });
  const readiness = new Map<string, Readiness>();
  const living = new Map<string, { value: Stoppable; users: number }>();
  const partial: Pick<ControlServices, 'log' | 'metrics' | 'readiness' | 'shared' | 'drained'> = {
    log,
    metrics,
    readiness: () => readiness,
    drained: async () => {
      lines.push('drained');
    },
    shared: <T extends Stoppable>(key: string, make: () => T): Shared<T> => {
      const entry = living.get(key) ?? { value: make(), users: 0 };
      living.set(key, entry);
      entry.users++;
      return {
        value: entry.value as T,
        release: async () => {
          if (--entry.users > 0) return;
          living.delete(key);
          await entry.value.stop();
        },
      };
    },
  };
  return { services: partial as ControlServices, lines, metrics, readiness };
}

export function testBlock(plugins: readonly string[], servers: readonly string[] = ['dns://:5300']): ServerBlock {
  return {
    index: 0,
    keys: servers.map((server) => ({ transport: 'dns', zone: '.', address: '', port: 5300, server })),
    zones: ['.'],
    plugins,

    file: 'Corefile',
    line: 1,
  };
}
