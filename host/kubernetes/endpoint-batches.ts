// Endpoints as the record store takes many at once. A cluster has far more of them than of anything else, and at the
// start they all come new; nearly all have an IPv4 address of their own and a plain name, which is what makes a batch.

import { ENDPOINTS_MAX, type Endpoints } from '../plugin/contract.ts';
import type { SliceAddresses } from './collector.ts';
import { endpointLabels } from './endpoint-names.ts';
import type { ClusterModel, SliceEntry } from './model.ts';
import { ownerKey } from './names.ts';

/** Octets of the longest label of an IPv4 address, and of any label, with their length octets. */
const DASHED_BYTES_MAX = 16;
const LABEL_BYTES_MAX = 64;

/** The slice's endpoints; undefined where they are no batch. `behind` octets stand behind each label, `bytesMax` are allowed. */
export function endpointBatch(
  model: ClusterModel,
  slice: SliceEntry,
  behind: number,
  bytesMax: number,
): Endpoints | undefined {
  const { addresses, family, hostnames } = slice;
  const bytes = behind + (hostnames === '' ? DASHED_BYTES_MAX : LABEL_BYTES_MAX);
  if (family !== 4 || addresses.length > 4 * ENDPOINTS_MAX || bytes > bytesMax) return undefined;
  const labels = labelsOf(slice);
  return labels !== undefined && model.addresses.areAlone(addresses, family) ? { addresses, labels } : undefined;
}

/** Batches of a service's slices; undefined unless all of them are one, and no name comes twice. */
export function serviceBatches(
  model: ClusterModel,
  slices: readonly SliceEntry[],
  behind: number,
  bytesMax: number,
): Endpoints[] | undefined {
  const batches: Endpoints[] = [];
  for (const slice of slices) {
    if (slice.addresses === '') continue;
    const batch = endpointBatch(model, slice, behind, bytesMax);
    if (batch === undefined) return undefined;
    batches.push(batch);
  }
  // Addresses that are different have different labels.
  if (batches.every(({ labels }) => labels === '')) return batches;
  const lines = slices.flatMap(endpointLabels).map((label) => label.toLowerCase());
  return new Set(lines).size === lines.length ? batches : undefined;
}

/** Labels in wire form, '' where all are addresses with dashes; undefined where one is no label. */
function labelsOf(slice: SliceAddresses): string | undefined {
  if (slice.hostnames === '') return '';
  let labels = '';
  for (const line of endpointLabels(slice)) {
    const label = ownerKey(line);
    if (label === undefined) return undefined;
    labels += label;
  }
  return labels;
}
