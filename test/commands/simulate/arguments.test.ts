import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../host/commands/flags.ts';
import {
  parseSimulateArguments,
  SIMULATE_USAGE,
  type SimulateArguments,
} from '../../../host/commands/simulate/arguments.ts';
import { UserError } from '../../../host/errors.ts';

const DEFAULTS: SimulateArguments = {
  shape: { services: 10_000, endpoints: 50_000, namespaces: 100, headlessPercent: 10, seed: 1 },
  changesPerSecond: 0,
  historyChanges: 10_000,
  address: '127.0.0.1',
  port: 8001,
  hasWatchList: true,
  queries: undefined,
  isServing: false,
  dnsPort: 1053,
  shards: undefined,
  pidFile: undefined,
  isQuiet: false,
};

const shape = (more: Partial<SimulateArguments['shape']>) => ({ shape: { ...DEFAULTS.shape, ...more } });

const ACCEPTED: readonly (readonly [argv: string, expected: Partial<SimulateArguments>])[] = [
  ['', {}],
  ['-services 100000', shape({ services: 100_000, endpoints: 500_000, namespaces: 1000 })],
  ['--services=300000', shape({ services: 300_000, endpoints: 1_000_000, namespaces: 3000 })],
  ['-services 1', shape({ services: 1, endpoints: 5, namespaces: 1 })],
  ['-endpoints 0', shape({ endpoints: 0 })],
  ['-namespaces 7', shape({ namespaces: 7 })],
  ['-headless 0', shape({ headlessPercent: 0 })],
  ['-seed 42', shape({ seed: 42 })],
  ['-changes 50', { changesPerSecond: 50 }],
  ['-history 5', { historyChanges: 5 }],
  ['-listen 0.0.0.0:80', { address: '0.0.0.0', port: 80 }],
  ['-listen localhost:0', { address: 'localhost', port: 0 }],
  ['-listen [::1]:8001', { address: '::1', port: 8001 }],
  ['-watchlist=false', { hasWatchList: false }],
  ['-queries q.txt', { queries: 'q.txt' }],
  ['-serve', { isServing: true }],
  ['-dns.port 53', { dnsPort: 53 }],
  ['-p 54', { dnsPort: 54 }],
  ['-shards 2', { shards: 2 }],
  ['-pidfile x.pid', { pidFile: 'x.pid' }],
  ['-quiet', { isQuiet: true }],
];

for (const [argv, expected] of ACCEPTED) {
  test(`simulate: ${argv || 'no flags'}`, () => {
    assert.deepEqual(parseSimulateArguments(words(argv)), { ...DEFAULTS, ...expected });
  });
}

const REFUSED: readonly (readonly [argv: string, kind: typeof UsageError | typeof UserError, message: string])[] = [
  ['-nosuch', UsageError, 'flag provided but not defined: -nosuch'],
  ['-services 0', UsageError, 'invalid value "0" for flag -services: must be a number between 1 and 500000'],
  ['-services many', UsageError, 'invalid value "many" for flag -services: must be a number between 1 and 500000'],
  [
    '-endpoints 1000001',
    UsageError,
    'invalid value "1000001" for flag -endpoints: must be a number between 0 and 1000000',
  ],
  ['-headless 100', UsageError, 'invalid value "100" for flag -headless: must be a number between 0 and 99'],
  ['-listen 8001', UserError, '-listen: expected ADDRESS:PORT, got "8001"'],
  ['-listen x:65536', UserError, '-listen: expected ADDRESS:PORT, got "x:65536"'],
  ['-dns.port x', UserError, 'lookup tcp/x: unknown port'],
  ['more', UserError, 'extra command line arguments: [more]'],
  ['-h', UsageError, ''],
];

for (const [argv, kind, message] of REFUSED) {
  test(`simulate, refused: ${argv}`, () => {
    assert.throws(
      () => parseSimulateArguments(words(argv)),
      (error: unknown) =>
        error instanceof kind &&
        error.message === message &&
        (!(error instanceof UsageError) || error.usage === SIMULATE_USAGE),
    );
  });
}

test('the usage names every flag', () => {
  const flags = ['changes', 'dns.port', 'endpoints', 'headless', 'history', 'listen', 'namespaces', 'p', 'pidfile'];
  for (const flag of [...flags, 'queries', 'quiet', 'seed', 'serve', 'services', 'shards', 'watchlist']) {
    assert.match(SIMULATE_USAGE, new RegExp(`^  -${flag.replace('.', '\\.')}\\b`, 'm'));
  }
});

function words(argv: string): string[] {
  return argv.split(' ').filter((word) => word !== '');
}
