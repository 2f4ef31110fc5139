// Families that belong to no plugin.

import { REASON_CHASE, REASON_END, REASON_FORCED, REASON_RELAY, REASON_STEP } from '../../engine-as/shared/codes.ts';
import type { Metrics } from './registry.ts';

const SLOW_REASONS: readonly (readonly [number, string])[] = [
  [REASON_STEP, 'step'],
  [REASON_FORCED, 'forced'],
  [REASON_CHASE, 'chase'],
  [REASON_END, 'end'],
  [REASON_RELAY, 'relay'],
];

/** coredns_build_info, under CoreDNS's labels: `goversion` is the version of Node. */
export function showBuild(metrics: Metrics, version: string, revision: string): void {
  const help =
    "A metric with a constant '1' value labeled by version, revision, and goversion from which CoreDNS was built.";
  metrics.gauge('coredns_build_info', help, { version, revision, goversion: `node${process.versions.node}` }, () => 1);
}

/** wasmdns_slow_total{reason}: messages that left the fast face. */
export function showSlowReasons(metrics: Metrics, read: (reason: number) => number): void {
  for (const [number, reason] of SLOW_REASONS) {
    metrics.readCounter('wasmdns_slow_total', 'Counter of messages that left the fast face.', { reason }, () =>
      read(number),
    );
  }
}
