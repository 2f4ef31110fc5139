// The command line of `wasmdns simulate`.

import { UserError } from '../../errors.ts';
import { type FlagSet, Flags } from '../flags.ts';
import { ENDPOINTS_MAX, NAMESPACES_MAX, SERVICES_MAX, type ShapeOptions } from './shape.ts';

export interface SimulateArguments {
  readonly shape: ShapeOptions;
  readonly changesPerSecond: number;
  /** Changes that a watch can begin before. */
  readonly historyChanges: number;
  readonly address: string;
  readonly port: number;
  readonly hasWatchList: boolean;
  /** File for dnsperf. */
  readonly queries: string | undefined;
  /** The server is started as well. */
  readonly isServing: boolean;
  readonly dnsPort: number;
  readonly shards: number | undefined;
  readonly pidFile: string | undefined;
  readonly isQuiet: boolean;
}

const ENDPOINTS_PER_SERVICE = 5;
const SERVICES_PER_NAMESPACE = 100;

export const SIMULATE_USAGE = `Usage of wasmdns simulate: a Kubernetes API of a cluster that does not exist, to watch and to load
  -changes int
    	Changes of services and slices a second (default 0)
  -dns.port string
    	With -serve: port of the server (default "1053")
  -endpoints int
    	Endpoints of all services together (default: ${ENDPOINTS_PER_SERVICE} for each service)
  -headless int
    	Headless services out of a hundred (default 10)
  -history int
    	Changes that are remembered: a watch from before them gets 410 (default 10000)
  -listen string
    	Address and port of the API (default "127.0.0.1:8001")
  -namespaces int
    	Namespaces (default: one for ${SERVICES_PER_NAMESPACE} services)
  -p string
    	With -serve: port of the server (default "1053")
  -pidfile string
    	With -serve: path to write pid file
  -queries string
    	Write questions for dnsperf to this file
  -quiet
    	Quiet mode (no initialization output)
  -seed int
    	The same seed gives the same names and the same sequence of changes (default 1)
  -serve
    	Start the server as well, in a process of its own
  -services int
    	Services (default 10000)
  -shards int
    	With -serve: serving threads (default: the CPU quota, else the cores)
  -watchlist
    	Serve WatchList; without it clients list in pages (default true)
`;

const FLAGS: FlagSet = {
  withValue: [
    ...['changes', 'dns.port', 'endpoints', 'headless', 'history', 'listen', 'namespaces', 'p', 'pidfile', 'queries'],
    ...['seed', 'services', 'shards'],
  ],
  switches: ['quiet', 'serve', 'watchlist'],
  aliases: { p: 'dns.port' },
  usage: SIMULATE_USAGE,
};

/** Throws UsageError and UserError. */
export function parseSimulateArguments(argv: readonly string[]): SimulateArguments {
  const flags = new Flags(argv, FLAGS);
  const services = flags.integer('services', 10_000, 1, SERVICES_MAX);
  const namespaces = Math.min(NAMESPACES_MAX, Math.ceil(services / SERVICES_PER_NAMESPACE));
  return {
    shape: {
      services,
      endpoints: flags.integer(
        'endpoints',
        Math.min(ENDPOINTS_MAX, ENDPOINTS_PER_SERVICE * services),
        0,
        ENDPOINTS_MAX,
      ),
      namespaces: flags.integer('namespaces', namespaces, 1, NAMESPACES_MAX),
      headlessPercent: flags.integer('headless', 10, 0, 99),
      seed: flags.integer('seed', 1, 0, 0xffff_ffff),
    },
    changesPerSecond: flags.integer('changes', 0, 0, 100_000),
    historyChanges: flags.integer('history', 10_000, 1, 1_000_000),
    ...listenAddress(flags.text('listen') ?? '127.0.0.1:8001'),
    hasWatchList: flags.text('watchlist') !== 'false',
    queries: flags.text('queries'),
    isServing: flags.isOn('serve'),
    dnsPort: flags.port('dns.port', 1053),
    shards: flags.shards(),
    pidFile: flags.text('pidfile'),
    isQuiet: flags.isOn('quiet'),
  };
}

/** `ADDRESS:PORT`, the address of IPv6 in brackets. */
function listenAddress(text: string): { readonly address: string; readonly port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) throw new UserError(`-listen: expected ADDRESS:PORT, got "${text}"`);
  return { address: match[1] ?? match[2]!, port };
}
