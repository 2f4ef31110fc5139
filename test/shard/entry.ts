// The worker entry of tests: the shard itself with directives made for tests.
//
//   ask      answers by the first label of the name, see below
//   above    stands above `ask`: hears of errors, takes log lines, and reports both to the main thread

import { setTimeout as sleep } from 'node:timers/promises';
import { UPSTREAM_SLOTS } from '../../engine-as/shared/layout.ts';
import { composeAddress } from '../../host/dns/rdata.ts';
import { instantiateEngine } from '../../host/engine/load.ts';
import type { ShardTask } from '../../host/engine/messages.ts';
import { createLog } from '../../host/log.ts';
import type {
  Answer,
  Directive,
  Metadata,
  Next,
  Outcome,
  Plain,
  Query,
  ShardServices,
} from '../../host/plugin/contract.ts';
import { runShard } from '../../host/shard/shard.ts';
import { UpstreamSockets } from '../../host/shard/upstream.ts';

interface AskConfig {
  readonly [key: string]: Plain;
  readonly address: string;
  /** create() or start() throws. */
  readonly failing?: string;
}

const ask: Directive<AskConfig> = {
  name: 'ask',
  parse: () => ({ address: '192.0.2.1' }),
  create: (config, _block, services) => {
    if (config.failing === 'create') throw new Error('this configuration cannot be created');
    return {
      name: 'ask',
      answer: (query, next) => answer(config, services, query, next),
      relay: (handle) => {
        const query = services.exchanges.query(handle);
        services.exchanges.metadata(handle).set('ask/late', () => 'relayed');
        if (query.name.startsWith('relayfail')) services.exchanges.fail(handle, 2, 'no upstream');
        else if (query.name.startsWith('relaythrow')) throw new Error('a relay that throws');
        else setImmediate(() => relayEcho(services, handle));
      },
      start: async () => {
        if (config.failing === 'start') throw new Error('this configuration cannot be started');
      },
      stop: async () => services.notifyControl('stopped'),
    };
  },
};

/** Where replies of upstreams arrive. */
let upstreamSlots = 0;

/** Says the question back as a reply: QR set, no records. */
function relayEcho({ exchanges }: ShardServices, handle: number): void {
  const at = exchanges.offset(handle);
  const bytes = exchanges.bytes(handle);
  exchanges.octets.copyWithin(upstreamSlots, at, at + bytes);
  exchanges.octets[upstreamSlots + 2]! |= 0x80;
  exchanges.finish(handle, upstreamSlots, bytes);
}

async function answer(config: AskConfig, services: ShardServices, query: Query, next: Next): Promise<Outcome> {
  const word = query.name.split('.')[0]!.replace(/\d+$/, '');
  switch (word) {
    case 'later':
      services.notifyControl('waiting');
      await sleep(30);
      return addresses(query, [config.address]);
    case 'never':
      services.notifyControl('waiting');
      return new Promise(() => {});
    case 'drop':
      return { kind: 'drop' };
    case 'throw':
      throw new Error('a plugin that throws');
    case 'twice':
      await next(query);
      return next(query);
    case 'next':
      return next(query);
    case 'many':
      return addresses(
        query,
        Array.from({ length: 2000 }, (_, i) => `10.9.${i >> 8}.${i & 255}`),
      );
    case 'crash':
      setImmediate(() => {
        throw new Error('a crash on purpose');
      });
      return { kind: 'drop' };
    case 'hang':
      for (;;) await Promise.resolve();
    case 'hop':
      return services.resolve(query, 'inner.example.', query.type);
    case 'loop':
      return services.resolve(query, 'loop.example.', query.type);
    case 'label':
      query.metadata.set('ask/late', () => `late ${query.metadata.get('above/name') ?? '-'}`);
      await sleep(5);
      return addresses(query, [config.address]);
    case 'report':
      services.notifyControl({ remote: query.remote.address, local: query.local.address, zone: query.zone });
      return addresses(query, [config.address]);
    default:
      return addresses(query, [config.address]);
  }
}

function addresses(query: Query, all: readonly string[]): Answer {
  const record = (address: string) => ({ name: query.name, type: 1, class: 1, ttl: 7, rdata: composeAddress(address) });
  return {
    kind: 'answer',
    rcode: 0,
    flags: 0x0400,
    answer: all.map(record),
    authority: [],
    additional: [],
    from: 'ask',
  };
}

interface AboveConfig {
  readonly keepsLabels: boolean;
}

const above: Directive<AboveConfig> = {
  name: 'above',
  parse: () => ({ keepsLabels: false }),
  create: ({ keepsLabels }, _block, services) => ({
    name: 'above',
    ...(keepsLabels && { collectsFor: ({ name }: Query) => !name.endsWith('outside.') }),
    collectMetadata: ({ name }, metadata) => metadata.set('above/name', () => name),
    onError: (query, rcode, text) => services.notifyControl(['error', query.name, rcode, text]),
    onLog: (entry) =>
      services.notifyControl([
        'log',
        entry.name,
        entry.proto,
        entry.rcode,
        entry.durationSeconds,
        labelsOf(entry.metadata),
      ]),
  }),
};

function labelsOf(metadata: Metadata): string {
  return ['above/name', 'ask/late', 'ask/none'].map((label) => metadata.get(label) ?? '-').join(' ');
}

export default function work(task: ShardTask): Promise<void> {
  const log = createLog((line) => task.port.postMessage({ kind: 'notice', plugin: 'log', message: line }));
  return runShard(task, {
    directives: new Map<string, Directive>([
      ['ask', ask as Directive],
      ['above', above as Directive],
    ]),
    instantiate: instantiateEngine,
    createUpstreams: ({ area, sockets }) => {
      upstreamSlots = area.at + UPSTREAM_SLOTS;
      return new UpstreamSockets({ area, sockets });
    },
    createLog: () => log,
  });
}
