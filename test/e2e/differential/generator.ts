// Makes the questions of the differential suite from a cluster and a seed.

import { parseLabels, reverseName } from '../support/name.ts';
import { CLASSES, FLAGS, OPTIONS, TYPES } from '../support/numbers.ts';
import type { Edns } from '../support/query.ts';
import type { Random } from '../support/random.ts';
import type { Cluster } from './cluster.ts';
import { type Edit, type Extra, type Listener, nameRoom, PLAIN_LISTENER, type Probe } from './probe.ts';
import type { RuleHints } from './rule-hints.ts';

const COMMON_TYPES = ['A', 'A', 'A', 'AAAA', 'AAAA', 'SRV', 'SRV', 'PTR', 'TXT', 'NS', 'SOA', 'CNAME', 'MX', 'ANY'];
const ODD_TYPES = [
  ...Object.values(TYPES).filter((type) => type !== TYPES['AXFR'] && type !== TYPES['IXFR']),
  0,
  65280,
  65535,
];
/** What the scripted upstream can do, weighted; those that take seconds are rare. */
const FORWARDED = [
  ...[
    'www',
    'www',
    'www',
    'nx',
    'nodata',
    'mix',
    'multi',
    'alias',
    'mail',
    'svc',
    'referral',
    'ttl0',
    'ttl1',
    'aa',
    'ad',
  ],
  ...['nxnosoa', 'nodatanosoa', 'servfail', 'refused', 'refusedsoa', 'notimp', 'formerr', 'yxdomain', 'dangle', 'half'],
  ...[
    'halfsoa',
    'six',
    'twice',
    'longtxt',
    'text',
    'big',
    'mid',
    'bigu',
    'mismatch',
    'ede',
    'noedns',
    'echo',
    'badtxt',
    'slow',
  ],
  ...['garbage', 'shorta'],
];
const SLOW = ['drop', 'wrongid'];
/** Client subnets: right, too long, too short, with bits behind the prefix, of other families, out of range. */
const SUBNETS = [
  ...[
    '00011800c00002',
    '00011800c00002',
    '00011800c0000263',
    '00011400c000ff00',
    '00011800c0',
    '0000000001',
    '00000000',
  ],
  ...['0002380020010db8000000', '00022000200100ff', '00012100c00002', '00030800c0', '00011818c00002', '0001000000'],
];

/** What the Corefile at hand has to say about the questions. */
export interface Subject {
  readonly cluster: Cluster;
  /** Names that the Corefile speaks of; `%` is a token. */
  readonly hints: readonly string[];
  /** What its rules look at. */
  readonly rules: RuleHints;
  readonly listeners: readonly Listener[];
  /** False when no server has the cluster's objects: its names are asked less often. */
  readonly hasCluster: boolean;
}

export class Generator {
  private readonly subject: Subject;
  private readonly cluster: Cluster;
  private readonly random: Random;
  /** Names whose answers a cache may hold: each belongs to one probe. */
  private readonly used = new Set<string>();
  private readonly externals: string[];

  constructor(subject: Subject, random: Random) {
    this.subject = subject;
    this.cluster = subject.cluster;
    this.random = random;
    this.externals = [...subject.cluster.externalNames];
  }

  /** Deterministic for the seed and the number of calls. */
  next(): Probe {
    const random = this.random;
    const name = this.name();
    const isForwarded = name.includes('%');
    const listener = random.pick(this.subject.listeners);
    const isSix = listener === PLAIN_LISTENER && random.chance(0.04);
    return {
      name: random.chance(0.25) ? this.mixCase(name) : name,
      type: this.type(name),
      class: this.class(),
      opcode: random.chance(0.02) ? random.below(16) : 0,
      flags: this.flags(),
      edns: random.chance(this.subject.rules.options.length > 0 ? 0.7 : 0.5) ? this.edns() : undefined,
      transport: random.chance(0.12) ? 'tcp' : isSix ? 'udp6' : 'udp',
      listener,
      times: isForwarded ? 1 + random.below(3) : 1,
      extras: random.chance(0.04) ? this.extras() : [],
      edits: random.chance(0.08) ? this.edits() : [],
    };
  }

  private name(): string {
    const { hints, hasCluster, rules } = this.subject;
    const random = this.random;
    if (rules.names.length > 0 && random.chance(0.25)) return random.pick(rules.names);
    if (hints.length > 0 && random.chance(hasCluster ? 0.25 : 0.5)) return this.hinted();
    if (!hasCluster && random.chance(0.8)) return this.forwardedName();
    const kind = random.next();
    return kind < 0.83 ? this.clusterOrReverse(kind) : this.forwardedName();
  }

  /** A name of the Corefile, as it stands there or changed a little. */
  private hinted(): string {
    const random = this.random;
    const hint = random.pick(this.subject.hints);
    if (random.chance(0.7)) return hint;
    const labels = hint.split('.');
    const ways = [
      () => labels.unshift(random.pick(['www-%', 'x', '*', '_http._tcp', 'alias-%', 'a.b'])),
      () => labels.shift(),
      () => labels.splice(random.below(labels.length), 1, random.pick(['www', 'x', '1'])),
      () => labels.push(random.pick(['example.org', 'cluster.local', 'test'])),
    ];
    random.pick(ways)();
    return labels.join('.') || '.';
  }

  /** Records behind the question that a query may have: a second OPT, an OPT with an owner, a TSIG. */
  private extras(): Extra[] {
    const random = this.random;
    const kinds = ['opt', 'owned opt', 'tsig', 'a'] as const;
    const extras = Array.from({ length: 1 + random.below(2) }, () => random.pick(kinds));
    // Two of them would keep CoreDNS's forward from ever sending: see allowed.ts.
    return extras.filter((kind, at) => kind !== 'tsig' || extras.indexOf(kind) === at);
  }

  private clusterOrReverse(kind: number): string {
    if (kind < 0.4) return this.random.pick(this.cluster.names);
    if (kind < 0.43 && this.externals.length > 0) return this.externals.pop()!;
    if (kind < 0.6) return this.neighbour(this.random.pick(this.cluster.names));
    if (kind < 0.66) return this.podName();
    if (kind < 0.78) return this.reverse();
    return this.oddName();
  }

  private forwardedName(): string {
    const behaviour = this.random.chance(0.004) ? this.random.pick(SLOW) : this.random.pick(FORWARDED);
    return `${behaviour}-%.example.org`;
  }

  /** A name that differs from an existing one by a label, an octet or a suffix. */
  private neighbour(name: string): string {
    const labels = name.split('.');
    const at = this.random.below(Math.max(1, labels.length - 2));
    switch (this.random.below(7)) {
      case 0:
        labels.splice(at, 1);
        break;
      case 1:
        labels.splice(
          at,
          0,
          this.random.pick(['x', '_http', '_tcp', '_', '*', 'any', 'svc', 'pod', 'dns', '10-1-0-11']),
        );
        break;
      case 2:
        labels[at] += this.random.pick(['x', '-', '0', '_']);
        break;
      case 3:
        labels[at] = labels[at]!.slice(1) || 'x';
        break;
      case 4:
        labels[at] = this.random.pick(['_x', 'nosuch', 'space-1', 'svc', 'headless-1', '_http._tcp', 'a.b.c']);
        break;
      case 5:
        return `${name}.nx-%.example.org`;
      default:
        labels.reverse();
        return `${labels.join('.')}.cluster.local`;
    }
    return labels.join('.');
  }

  private podName(): string {
    const space = this.random.chance(0.8) ? this.random.pick(this.cluster.namespaces) : 'nosuch';
    const octet = () => this.random.pick([0, 1, 9, 10, 99, 127, 255, 256, 300, 1000]);
    const v4 = [octet(), octet(), octet(), octet()].join('-');
    const v6 = this.random.pick([
      '2001-db8--1',
      'fd00--',
      '--1',
      '1-2-3-4-5-6-7-8',
      '2001-db8--1--2',
      'fffff--1',
      '--ffff-10-0-0-1',
      '-',
      '--',
    ]);
    const odd = this.random.pick([
      'x',
      '10-1-0',
      '10-1-0-1-1',
      '010-1-0-1',
      '10.1.0.1',
      '10--1-0-1',
      '1-1-1-a',
      `x.${v4}`,
    ]);
    return `${this.random.pick([v4, v4, v6, odd])}.${space}.pod.cluster.local`;
  }

  /** Reverse names are cached, so each is used once. */
  private reverse(): string {
    for (let attempt = 0; attempt < 20; attempt++) {
      const random = this.random;
      const v4 = `10.${random.pick([33, 96, 97, 1])}.${random.below(4)}.${random.below(256)}`;
      const address = random.chance(0.6)
        ? random.pick(this.cluster.addresses)
        : random.chance(0.8)
          ? v4
          : `2001:db8:33::${random.below(65536).toString(16)}`;
      const name = reverseName(address).slice(0, -1);
      const labels = name.split('.');
      const odd = random.chance(0.15) ? this.oddReverse(labels) : name;
      if (this.used.has(odd)) continue;
      this.used.add(odd);
      return odd;
    }
    return 'nx-%.example.org';
  }

  private oddReverse(labels: string[]): string {
    const at = this.random.below(labels.length - 2);
    const ways = [
      () => labels.splice(at, 1),
      () => labels.splice(at, 0, String(this.random.below(300))),
      () => labels.splice(at, 1, this.random.pick(['x', '256', '00', '-1', '1a', '0x1'])),
    ];
    this.random.pick(ways)();
    return labels.join('.');
  }

  /** Names at the limits: octets that are no letters, 63-octet labels, 255 octets, many labels. */
  private oddName(): string {
    const base = this.random.chance(0.5) ? this.random.pick(this.cluster.names) : 'nx-%.example.org';
    switch (this.random.below(6)) {
      case 0:
        return `${this.binaryLabel(1 + this.random.below(20))}.${base}`;
      case 1:
        return `${'a'.repeat(63)}.${base}`;
      case 2:
        return this.fill(base, () => 'b'.repeat(63));
      case 3:
        return this.fill(base, () => 'c');
      case 4:
        return this.fill(base, () => this.binaryLabel(1 + this.random.below(63)));
      default:
        return this.random.pick([
          'cluster.local',
          'CLUSTER.local',
          'ns.dns.cluster.local',
          'ns.dns.Cluster.local',
          'local.nx-%.example.org',
          'xcluster.local.nx-%.example.org',
        ]);
    }
  }

  /** Puts labels before the name until no more fit. The token of `%` is taken to have 4 octets. */
  private fill(base: string, label: () => string): string {
    let name = base;
    for (;;) {
      const longer = `${label()}.${name}`;
      if (nameRoom(longer.replace('%', 'tokn')) < 0) return name;
      name = longer;
    }
  }

  private binaryLabel(bytes: number): string {
    return Array.from({ length: bytes }, () => `\\${String(this.random.below(256)).padStart(3, '0')}`).join('');
  }

  private mixCase(name: string): string {
    return name.replace(/[a-z]/g, (letter) => (this.random.chance(0.5) ? letter.toUpperCase() : letter));
  }

  private type(name: string): number {
    if (this.random.chance(0.08)) return this.random.pick(ODD_TYPES);
    if (this.random.chance(0.01)) return this.random.pick([TYPES['AXFR']!, TYPES['IXFR']!]);
    const { types } = this.subject.rules;
    if (types.length > 0 && this.random.chance(0.25)) return this.random.pick(types);
    if (name.startsWith('echo-') && this.random.chance(0.5)) return TYPES['TXT']!;
    if (name.endsWith('.arpa') && this.random.chance(0.8)) return TYPES['PTR']!;
    if (name.startsWith('_') && this.random.chance(0.7)) return TYPES['SRV']!;
    return TYPES[this.random.pick(COMMON_TYPES)]!;
  }

  private class(): number {
    const { classes } = this.subject.rules;
    if (classes.length > 0 && this.random.chance(0.1)) return this.random.pick(classes);
    return this.random.chance(0.03) ? this.random.pick([0, 2, 3, 4, 254, 255, 4711]) : CLASSES['IN']!;
  }

  private flags(): number {
    if (this.random.chance(0.6)) return FLAGS['rd']!;
    const all = Object.values(FLAGS).filter((flag) => flag !== FLAGS['qr']);
    const some = all.filter(() => this.random.chance(0.3)).reduce((word, flag) => word | flag, 0);
    return this.random.chance(0.02) ? some | FLAGS['qr']! : some;
  }

  private edns(): Edns {
    const random = this.random;
    const options = Array.from({ length: random.chance(0.4) ? 1 + random.below(3) : 0 }, () => this.option());
    return {
      size: random.pick([1232, 1232, 4096, 512, 0, 100, 513, 600, 800, 1400, 1500, 8192, 65535]),
      isDo: random.chance(0.3),
      z: random.chance(0.05) ? random.below(0x8000) : 0,
      version: random.chance(0.03) ? 1 + random.below(255) : 0,
      options,
    };
  }

  private option(): { code: number; octets: Uint8Array } {
    const random = this.random;
    const { options } = this.subject.rules;
    const code =
      options.length > 0 && random.chance(0.4)
        ? random.pick(options)
        : random.chance(0.7)
          ? random.pick(Object.values(OPTIONS))
          : random.below(random.chance(0.6) ? 22 : 65536);
    if (code === OPTIONS['ECS'] && random.chance(0.8)) {
      return { code, octets: Buffer.from(random.pick(SUBNETS), 'hex') };
    }
    const bytes = random.pick([0, 1, 2, 3, 4, 7, 8, 16, 24, 40, 41]);
    return { code, octets: Uint8Array.from({ length: bytes }, () => random.below(256)) };
  }

  private edits(): Edit[] {
    const random = this.random;
    return Array.from({ length: 1 + random.below(3) }, () => {
      // Half of the edits hit the header, where most rules are.
      const at = random.chance(0.4) ? 2 + random.below(10) : random.below(200);
      const kind = random.pick(['set', 'set', 'set', 'insert', 'remove'] as const);
      if (kind === 'set')
        return { kind, at, octet: random.chance(0.5) ? random.below(256) : random.pick([0, 1, 2, 0xc0, 0xff]) };
      if (kind === 'remove') return { kind, at, count: 1 + random.below(random.chance(0.3) ? 40 : 3) };
      return { kind, at, octets: Array.from({ length: 1 + random.below(4) }, () => random.below(256)) };
    });
  }
}

/** The labels of a probe's name, for shrinking it. */
export function labelsOf(name: string): string[] {
  return parseLabels(name).length === 0 ? [] : name.split(/(?<!\\)\./);
}
