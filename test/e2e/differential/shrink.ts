// Makes a probe on which two servers differ as small as possible while they still differ.

import { CLASSES, FLAGS, TYPES } from '../support/numbers.ts';
import { labelsOf } from './generator.ts';
import type { Probe } from './probe.ts';

/** Probes that are tried at most. */
const TRIES_MAX = 120;

/** @param differs asks the probe anew and tells whether the servers still differ. */
export async function shrink(
  probe: Probe,
  differs: (probe: Probe) => Promise<boolean>,
  triesMax: number = TRIES_MAX,
): Promise<Probe> {
  let smallest = probe;
  let tries = 0;
  for (let isSmaller = true; isSmaller && tries < triesMax; ) {
    isSmaller = false;
    for (const candidate of simpler(smallest)) {
      if (tries++ >= triesMax) break;
      if (!(await differs(candidate))) continue;
      smallest = candidate;
      isSmaller = true;
      break;
    }
  }
  return smallest;
}

/** Probes that are simpler by one step, the largest step first. */
function* simpler(probe: Probe): Generator<Probe> {
  if (probe.times > 1) yield { ...probe, times: probe.times - 1 };
  for (const at of probe.edits.keys()) yield { ...probe, edits: probe.edits.filter((_, each) => each !== at) };
  for (const at of probe.extras.keys()) yield { ...probe, extras: probe.extras.filter((_, each) => each !== at) };
  if (probe.transport !== 'udp') yield { ...probe, transport: 'udp' };
  yield* simplerEdns(probe);
  if (probe.class !== CLASSES['IN']) yield { ...probe, class: CLASSES['IN']! };
  if (probe.opcode !== 0) yield { ...probe, opcode: 0 };
  for (const flag of Object.values(FLAGS)) {
    if ((probe.flags & flag) !== 0) yield { ...probe, flags: probe.flags & ~flag };
  }
  const lower = probe.name.toLowerCase();
  if (lower !== probe.name) yield { ...probe, name: lower };
  const labels = labelsOf(probe.name);
  for (const at of labels.keys()) {
    const shorter = labels.filter((_, each) => each !== at).join('.');
    // Without its token a name would be found in the caches.
    const isFresh = shorter.includes('%') || shorter.toLowerCase().endsWith('cluster.local');
    if (isFresh && shorter !== probe.name) yield { ...probe, name: shorter };
  }
  if (probe.type !== TYPES['A']) yield { ...probe, type: TYPES['A']! };
}

function* simplerEdns(probe: Probe): Generator<Probe> {
  const { edns } = probe;
  if (edns === undefined) return;
  yield { ...probe, edns: undefined };
  const options = edns.options ?? [];
  for (const at of options.keys())
    yield { ...probe, edns: { ...edns, options: options.filter((_, each) => each !== at) } };
  if (edns.isDo) yield { ...probe, edns: { ...edns, isDo: false } };
  if (edns.z) yield { ...probe, edns: { ...edns, z: 0 } };
  if (edns.version) yield { ...probe, edns: { ...edns, version: 0 } };
}
