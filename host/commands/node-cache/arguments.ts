// The command line of node-cache (NodeLocal DNSCache): its flags, the server's, and how interface and rules are made.

import { DurationError, parseDurationMs } from '../../corefile/duration.ts';
import { addressOctets } from '../../dns/address.ts';
import { UserError } from '../../errors.ts';
import { INTERFACE_NAME_BYTES_MAX } from '../../nodelocal/links.ts';
import type { NetworkSettings } from '../../nodelocal/network.ts';
import { type FlagSet, Flags } from '../flags.ts';

export interface NodeCacheArguments {
  readonly network: NetworkSettings;
  readonly baseCorefile: string;
  readonly corefile: string;
  /** Folder of the ConfigMap kube-dns; undefined: the usual one if it is there. */
  readonly kubeDnsFolder: string | undefined;
  readonly upstreamService: string;
  readonly metricsAddress: string;
  readonly syncMs: number;
  readonly isReloadedBySignal: boolean;
  readonly pidFile: string | undefined;
  readonly isQuiet: boolean;
  readonly isVersion: boolean;
  readonly isPlugins: boolean;
  readonly shards: number | undefined;
}

const USAGE = `Usage of node-cache:
  -basecorefile string
    	Path to the template Corefile for node-cache (default "/etc/coredns/Corefile.base")
  -conf string
    	Corefile that is written from it, and loaded (default "/etc/Corefile")
  -corefile string
    	The same, where -conf is not given
  -dns.port string
    	Default port (default "53")
  -health-port string
    	Port used by plugin health (default "8080")
  -interfacekind string
    	How the interface is made: tun is removed with the process whatever its end, dummy outlives one that is killed, auto takes
    	tun if it can (default "auto")
  -interfacename string
    	Name of the interface to be created (default "nodelocaldns")
  -kubednscm string
    	Path where the kube-dns configmap will be mounted (default "/etc/kube-dns" if that exists)
  -localip string
    	Comma-separated addresses to serve on; this flag, or the first word node-cache, asks for this command
  -metrics-listen-address string
    	Address to serve metrics on (default "0.0.0.0:9353")
  -p string
    	Default port (default "53")
  -pidfile string
    	Path to write pid file
  -plugins
    	List installed plugins
  -quiet
    	Quiet mode (no initialization output)
  -reloadwithsignal
    	Reload by SIGUSR1 to itself when the Corefile is written anew
  -rules string
    	What keeps queries out of the tracking of connections: nftables, iptables or none (default "nftables")
  -setupinterface
    	Whether the network interface is set up (default true)
  -setupiptables
    	Whether rules are set up (default true)
  -shards int
    	Serving threads (default: the CPU quota, else the cores, at most 2)
  -skipteardown
    	Leave interface and rules in place at the end
  -syncinterval duration
    	Seconds between two checks of interface and rules (default 60)
  -upstreamsvc string
    	Service whose cluster IP is upstream for the cluster's names (default "kube-dns")
  -version
    	Show version
`;

const FLAGS: FlagSet = {
  withValue: [
    'basecorefile',
    'conf',
    'corefile',
    'dns.port',
    'health-port',
    'interfacekind',
    'interfacename',
    'kubednscm',
    'localip',
    'metrics-listen-address',
    'p',
    'pidfile',
    'rules',
    'shards',
    'syncinterval',
    'upstreamsvc',
  ],
  switches: ['plugins', 'quiet', 'reloadwithsignal', 'setupinterface', 'setupiptables', 'skipteardown', 'version'],
  aliases: { p: 'dns.port' },
  usage: USAGE,
};

const KINDS = ['auto', 'tun', 'dummy'] as const;
const RULES = ['nftables', 'iptables', 'none'] as const;
const SYNC_SECONDS = 60;
const SYNC_SECONDS_MAX = 86_400;

/** Throws UsageError and UserError. */
export function parseNodeCacheArguments(argv: readonly string[]): NodeCacheArguments {
  const flags = new Flags(argv[0] === 'node-cache' ? argv.slice(1) : argv, FLAGS);
  const isShown = flags.isOn('version') || flags.isOn('plugins');
  const isKept = flags.isOn('skipteardown');
  const kind = flags.oneOf('interfacekind', KINDS, 'auto');
  if (isKept && kind === 'tun') throw new UserError('-skipteardown: an interface of kind tun ends with the process');
  const rules = flags.oneOf('rules', RULES, 'nftables');
  return {
    network: {
      addresses: isShown ? [] : addressesOf(flags.text('localip') ?? ''),
      dnsPort: flags.port('dns.port', 53),
      healthPort: flags.integer('health-port', 8080, 0, 65535),
      interfaceName: interfaceName(flags.text('interfacename') ?? 'nodelocaldns'),
      kind: flags.isOn('setupinterface', true) ? kind : 'none',
      rules: flags.isOn('setupiptables', true) ? rules : 'none',
      isKept,
    },
    baseCorefile: flags.text('basecorefile') ?? '/etc/coredns/Corefile.base',
    corefile: flags.text('conf') ?? flags.text('corefile') ?? '/etc/Corefile',
    kubeDnsFolder: flags.text('kubednscm') || undefined,
    upstreamService: flags.text('upstreamsvc') ?? 'kube-dns',
    metricsAddress: flags.text('metrics-listen-address') ?? '0.0.0.0:9353',
    syncMs: syncMs(flags.text('syncinterval')),
    isReloadedBySignal: flags.isOn('reloadwithsignal'),
    pidFile: flags.text('pidfile'),
    isQuiet: flags.isOn('quiet'),
    isVersion: flags.isOn('version'),
    isPlugins: flags.isOn('plugins'),
    shards: flags.shards(),
  };
}

/** Of one family, as node-cache wants them. */
function addressesOf(text: string): readonly string[] {
  const addresses = text.split(',');
  for (const address of addresses) {
    const octets = addressOctets(address);
    if (octets === undefined) throw new UserError(`invalid localip specified - ${JSON.stringify(address)}`);
    const isIpv6 = addressOctets(addresses[0]!)!.length === 16;
    if ((octets.length === 16) !== isIpv6) {
      throw new UserError(`unexpected IP Family for localIP - ${JSON.stringify(address)}, want IPv6=${isIpv6}`);
    }
  }
  return [...new Set(addresses)];
}

function interfaceName(text: string): string {
  const isName =
    text.length <= INTERFACE_NAME_BYTES_MAX && /^[!-~]+$/.test(text) && !/[/:]/.test(text) && !/^\.\.?$/.test(text);
  if (isName) return text;
  throw new UserError(`invalid interfacename specified - ${JSON.stringify(text)}`);
}

/** node-cache takes the nanoseconds of a duration for seconds: `60ns` is a minute, and so is `60`. Others are what they say. */
function syncMs(text: string | undefined): number {
  if (text === undefined) return SYNC_SECONDS * 1000;
  const seconds = /^\+?(\d{1,9})(?:ns)?$/.exec(text)?.[1];
  try {
    const ms = seconds === undefined ? parseDurationMs(text) : Number(seconds) * 1000;
    if (ms >= 1000 && ms <= SYNC_SECONDS_MAX * 1000) return ms;
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
  }
  throw new UserError(`invalid value "${text}" for flag -syncinterval: from 1 second to a day`);
}
