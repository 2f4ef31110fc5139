// The selectors of list and watch requests, as far as a DNS server sends them.

import { type KubernetesObject, record } from './values.ts';

export type Filter = (object: KubernetesObject) => boolean;

/** The filter of a request without selectors. */
export const everything: Filter = () => true;

/** The filter of a request; undefined if it asks for what this API does not know. */
export function filterOf(query: URLSearchParams): Filter | undefined {
  const [field, label] = [query.get('fieldSelector') ?? '', query.get('labelSelector') ?? ''];
  if (field === '' && label === '') return everything;
  const fields = fieldFilter(field);
  const labels = labelFilter(label);
  return fields && labels && ((object) => fields(object) && labels(object));
}

/** The only field that the DNS selects by is the phase of a pod. */
function fieldFilter(selector: string): Filter | undefined {
  const unwanted = new Set<string>();
  for (const term of selector.split(',').filter((part) => part !== '')) {
    const phase = /^status\.phase!=(\w+)$/.exec(term)?.[1];
    if (phase === undefined) return undefined;
    unwanted.add(phase);
  }
  return (object) => !unwanted.has(String((object['status'] as { phase?: unknown } | undefined)?.phase ?? 'Running'));
}

/** `a=b`, `a in (b,c)`, `a notin (b)`, `a`, `!a`, joined by commas. */
function labelFilter(selector: string): Filter | undefined {
  const terms = selector === '' ? [] : selector.split(/,(?![^(]*\))/);
  const filters = terms.map(termFilter);
  if (filters.includes(undefined)) return undefined;
  return (object) => filters.every((filter) => filter!(object));
}

function termFilter(term: string): Filter | undefined {
  const match = /^(!?)([^\s=!]+)(?:=(.*)| (in|notin) \((.*)\))?$/.exec(term);
  if (match === null) return undefined;
  const [, not, key, equal, set, list] = match;
  const labelOf = (object: KubernetesObject) => record(object.metadata['labels'])[key!];
  if (equal !== undefined) return (object) => labelOf(object) === equal;
  if (set === undefined) return (object) => (labelOf(object) === undefined) === (not === '!');
  const values = new Set<unknown>(list!.split(','));
  return (object) => values.has(labelOf(object)) === (set === 'in');
}
