// Plugin kubernetes: the names of a cluster. The records are published on the main thread (control.ts); both faces
// look them up in the engine. Only an alias that leaves the zone needs this file's slow face.

import {
  FLAG_AA,
  FLAG_TC,
  RCODE_NOERROR,
  RCODE_SERVFAIL,
  TYPE_A,
  TYPE_AAAA,
  TYPE_CNAME,
  TYPE_TXT,
} from '../../../engine-as/shared/codes.ts';
import { composeName, isInZone, longestZone } from '../../dns/name.ts';
import { parseTarget } from '../../dns/rdata.ts';
import { checkAccess, podEnvironment } from '../../kubernetes/access.ts';
import { errorAnswer } from '../../plugin/chain.ts';
import type {
  Answer,
  BlockProgram,
  Directive,
  Next,
  Outcome,
  Plugin,
  Query,
  ShardServices,
} from '../../plugin/contract.ts';
import { accessOf, type ClientShare, createControl, type KubernetesControl } from './control.ts';
import { clientOctets, collectLabels } from './labels.ts';
import { type KubernetesConfig, parseKubernetes } from './parse.ts';

/** Aliases that are followed, as in CoreDNS. */
const CHAIN_MAX = 10;

export const kubernetes: Directive<KubernetesConfig, KubernetesControl> = {
  name: 'kubernetes',
  parse: parseKubernetes,
  settings: (config) => {
    // The client is made when the directive is read, as in CoreDNS
    checkAccess(accessOf(config), podEnvironment());
    return {};
  },
  control: createControl,
  compile,
  create: (config, _block, services, shared) => createPlugin(config, services, shared as ClientShare | undefined),
};

function compile(config: KubernetesConfig, program: BlockProgram, control: KubernetesControl | undefined): void {
  if (control === undefined) {
    program.slow();
    return;
  }
  const { zones, multiclusterZones: imported } = config;
  const own = zones.filter((zone) => !imported.includes(zone));
  const step = {
    address: control.records,
    ttl: config.ttlSeconds,
    soa: {
      mname: 'ns.dns',
      rname: 'hostmaster',
      refresh: 7200,
      retry: 1800,
      expire: 86400,
      minimum: config.ttlSeconds,
      ttl: Math.min(config.ttlSeconds, 300),
    },
    pods: config.pods,
    fallthrough: config.fallthrough,
    kubernetes: true,
  };
  if (control.imported !== undefined) program.records({ ...step, zones: imported, importedAddress: control.imported });
  if (own.length > 0) {
    program.records({ ...step, zones: own, ...(imported.length > 0 && { except: imported }), zonal: config.isZonal });
  }
}

function createPlugin(config: KubernetesConfig, services: ShardServices, shared: ClientShare | undefined): Plugin {
  const clientOf = (address: string) =>
    shared?.clients === undefined ? undefined : services.lookup.texts(shared.clients, clientOctets(address));
  return {
    name: 'kubernetes',
    async answer(query: Query, next: Next): Promise<Outcome> {
      const found = services.lookup.records(query);
      if (found === 'miss') return next(query);
      if (found === 'chase') return chase(query, longestZone(config.zones, query.name) ?? '.', services);
      return found === 'servfail' ? unavailable() : found;
    },
    collectMetadata: (query, metadata) => collectLabels(query, metadata, config, clientOf),
  };
}

/**
 * Follows an alias out of the zone: the CNAMEs as far as they lead inside, then whatever the whole server says about
 * the target. Its rcode does not count, as in CoreDNS: a target that fails leaves the CNAMEs alone. For types it never
 * answers CoreDNS looks an address up in vain.
 */
async function chase(query: Query, zone: string, services: ShardServices): Promise<Outcome> {
  const aliases = [];
  let name = query.name;
  for (let steps = 0; steps <= CHAIN_MAX; steps++) {
    const found = services.lookup.records(asking(query, name, TYPE_CNAME));
    const alias = typeof found === 'string' ? undefined : found.answer[0];
    if (alias === undefined) break;
    aliases.push(alias);
    name = parseTarget(alias.rdata).toLowerCase();
    if (isInZone(name, zone)) continue;
    const isAddress = query.type === TYPE_A || query.type === TYPE_AAAA;
    const target = await services.resolve(query, name, isAddress ? query.type : TYPE_A);
    if (!isAddress) break;
    return {
      kind: 'answer',
      rcode: RCODE_NOERROR,
      flags: FLAG_AA | (target.flags & FLAG_TC),
      answer: [...aliases, ...target.answer],
      authority: [],
      additional: [],
      from: 'kubernetes',
    };
  }
  return noData(query, services);
}

/** NODATA with the zone's SOA: what the engine says of an alias that is asked for a text. */
function noData(query: Query, services: ShardServices): Answer {
  const found = services.lookup.records(asking(query, query.name, TYPE_TXT));
  return typeof found === 'string' ? unavailable() : found;
}

function unavailable(): Answer {
  return errorAnswer(RCODE_SERVFAIL, 'kubernetes', 'the records are not available');
}

/** The same query with another question; the question's own spelling stays where the name does. */
function asking(query: Query, name: string, type: number): Query {
  const before = query.message.questions[0];
  const wire = before !== undefined && before.name === name ? before.wire : composeName(name);
  const question = { name, type, class: query.class, wire };
  return { ...query, name, type, message: { ...query.message, questions: [question] } };
}
