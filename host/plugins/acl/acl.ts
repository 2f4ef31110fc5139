// Plugin acl: who may ask what. Both faces decide alike: the fast one from data in the program (AccessStep), the slow
// one here.

import {
  ACCESS_PAYLOAD_BYTES,
  EDE_BLOCKED,
  EDE_FILTERED,
  EDNS_DO,
  OPTION_EDE,
  RCODE_NOERROR,
  RCODE_REFUSED,
} from '../../../engine-as/shared/codes.ts';
import { SLOT_NONE } from '../../../engine-as/shared/layout.ts';
import { addressOctets } from '../../dns/address.ts';
import { longestZone } from '../../dns/name.ts';
import type {
  AccessAction,
  AccessPolicy,
  Answer,
  Control,
  ControlServices,
  Directive,
  Next,
  Outcome,
  Plugin,
  Query,
  ServerBlock,
  ShardServices,
  Subnet,
} from '../../plugin/contract.ts';
import { type AclConfig, type AclRule, parseAcl } from './parse.ts';

/** In the order of AccessRule.slots. */
const COUNTED = [
  { action: 'block', family: 'coredns_acl_blocked_requests_total', help: 'Counter of DNS requests being blocked.' },
  { action: 'filter', family: 'coredns_acl_filtered_requests_total', help: 'Counter of DNS requests being filtered.' },
  { action: 'drop', family: 'coredns_acl_dropped_requests_total', help: 'Counter of DNS requests being dropped.' },
] as const satisfies readonly { action: AccessAction; family: string; help: string }[];
const ALLOWED = 'coredns_acl_allowed_requests_total';
const ALLOWED_HELP = 'Counter of DNS requests being allowed.';

/** Counters, as AccessStep has them. */
type AclSlots = {
  readonly allowed: readonly number[];
  readonly rules: readonly (readonly number[])[];
};

interface AclControl extends Control {
  readonly shared: AclSlots;
}

export const acl: Directive<AclConfig, AclControl> = {
  name: 'acl',
  parse: parseAcl,
  control: (config, block, services) => ({ shared: claimSlots(config, block, services) }),
  compile: ({ rules }, program, control) =>
    program.access({
      rules: rules.map((rule, i) => ({ ...rule, slots: control?.shared.rules[i] ?? [] })),
      allowedSlots: control?.shared.allowed ?? [],
    }),
  create: (config, block, services, shared) => new AccessLists(config, block, services, shared as AclSlots),
};

function serversOf(block: ServerBlock): string[] {
  return [...new Set(block.keys.map(({ server }) => server))];
}

function claimSlots({ rules }: AclConfig, block: ServerBlock, { metrics }: ControlServices): AclSlots {
  const servers = serversOf(block);
  const slotsOf = ({ zones, policies }: AclRule) =>
    servers.flatMap((server) =>
      zones.flatMap((zone) =>
        COUNTED.map(({ action, family, help }) =>
          policies.some((policy) => policy.action === action)
            ? metrics.counter(family, help, { server, zone, view: '' })
            : SLOT_NONE,
        ),
      ),
    );
  return {
    allowed: servers.map((server) => metrics.counter(ALLOWED, ALLOWED_HELP, { server, view: '' })),
    rules: rules.map(slotsOf),
  };
}

class AccessLists implements Plugin {
  readonly name = 'acl';
  readonly #rules: readonly AclRule[];
  readonly #servers: readonly string[];
  readonly #slots: AclSlots;
  readonly #services: ShardServices;

  constructor({ rules }: AclConfig, block: ServerBlock, services: ShardServices, slots: AclSlots) {
    this.#rules = rules;
    this.#servers = serversOf(block);
    this.#services = services;
    this.#slots = slots;
  }

  async answer(query: Query, next: Next): Promise<Outcome> {
    const client = clientOctets(query);
    const server = this.#servers.indexOf(query.server);
    for (const [i, { zones, policies }] of this.#rules.entries()) {
      const zone = longestZone(zones, query.name);
      if (zone === undefined) continue;
      const action = policies.find((policy) => fits(policy, query.type, client))?.action;
      if (action === undefined) continue;
      if (action === 'allow') break;
      const index = (server * zones.length + zones.indexOf(zone)) * COUNTED.length;
      this.#count(this.#slots.rules[i]![index + COUNTED.findIndex((counted) => counted.action === action)]);
      return action === 'drop' ? { kind: 'drop' } : refusal(action);
    }
    this.#count(this.#slots.allowed[server]);
    return next(query);
  }

  /** CoreDNS names the question in the place of the plugin. */
  nameAtEnd({ name }: Query): string {
    return name;
  }

  #count(slot: number | undefined): void {
    if (slot !== undefined && slot !== SLOT_NONE) this.#services.slots.add(slot, 1);
  }
}

/** 4 or 16; a link-local address without its zone. */
function clientOctets({ remote }: Query): Uint8Array {
  return addressOctets(remote.address.replace(/%.*/, ''))!;
}

function fits({ types, subnets }: AccessPolicy, type: number, client: Uint8Array): boolean {
  if (types !== undefined && !types.includes(type)) return false;
  return subnets === undefined || subnets.some((subnet) => holds(subnet, client));
}

function holds({ octets, prefixBits }: Subnet, client: Uint8Array): boolean {
  if (octets.length !== client.length) return false;
  return octets.every((octet, i) => {
    const mask = 0xff00 >> Math.min(8, Math.max(0, prefixBits - i * 8));
    return octet === (client[i]! & mask & 0xff);
  });
}

/** CoreDNS sets DO whether or not the client did. */
function refusal(action: 'block' | 'filter'): Answer {
  const infoCode = action === 'block' ? EDE_BLOCKED : EDE_FILTERED;
  return {
    kind: 'answer',
    rcode: action === 'block' ? RCODE_REFUSED : RCODE_NOERROR,
    flags: 0,
    answer: [],
    authority: [],
    additional: [],
    edns: {
      payloadBytes: ACCESS_PAYLOAD_BYTES,
      extendedRcode: 0,
      version: 0,
      flags: EDNS_DO,
      options: [{ code: OPTION_EDE, octets: Uint8Array.of(infoCode >> 8, infoCode & 0xff) }],
    },
    from: 'acl',
  };
}
