// The command line: CoreDNS's flags, one dash or two, `-flag value` or `-flag=value`, as Go's flag package takes them.

import { UserError } from '../errors.ts';

export interface Arguments {
  readonly conf: string | undefined;
  readonly port: number;
  readonly pidFile: string | undefined;
  readonly isPlugins: boolean;
  readonly isQuiet: boolean;
  readonly isVersion: boolean;
  readonly shards: number | undefined;
  /** YAML of the embedded cluster; -conf has precedence. */
  readonly demo: string | undefined;
}

/** An unknown flag or a missing value: usage and exit code 2. An empty message: help was asked for, exit code 0. */
export class UsageError extends Error {}

export const USAGE = `Usage of wasmdns:
  -conf string
    	Corefile to load (default "Corefile")
  -demo string
    	Serve the embedded cluster described by this YAML file, if no -conf is given
  -dns.port string
    	Default port (default "53")
  -p string
    	Default port (default "53")
  -pidfile string
    	Path to write pid file
  -plugins
    	List installed plugins
  -quiet
    	Quiet mode (no initialization output)
  -shards int
    	Serving threads (default: the CPU quota, else the cores)
  -version
    	Show version
`;

const WITH_VALUE = ['conf', 'demo', 'dns.port', 'p', 'pidfile', 'shards'];
const SWITCHES = ['plugins', 'quiet', 'version'];

export function parseArguments(argv: readonly string[]): Arguments {
  const values = new Map<string, string>();
  let i = 0;
  for (; i < argv.length; i++) {
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(argv[i]!);
    if (match === null) break;
    const [, name, inline] = match as unknown as [string, string, string | undefined];
    if (name === 'h' || name === 'help') throw new UsageError('');
    if (SWITCHES.includes(name)) values.set(name, inline ?? 'true');
    else if (!WITH_VALUE.includes(name)) throw new UsageError(`flag provided but not defined: -${name}`);
    else if (inline === undefined && i + 1 >= argv.length) throw new UsageError(`flag needs an argument: -${name}`);
    else values.set(name, inline ?? argv[++i]!);
  }
  if (argv[i] === '--') i++;
  if (i < argv.length) throw new UserError(`extra command line arguments: [${argv.slice(i).join(' ')}]`);
  return {
    conf: values.get('conf'),
    demo: values.get('demo'),
    port: portOf(values.get('p') ?? values.get('dns.port') ?? '53'),
    pidFile: values.get('pidfile'),
    isPlugins: switchOf(values.get('plugins')),
    isQuiet: switchOf(values.get('quiet')),
    isVersion: switchOf(values.get('version')),
    shards: shardsOf(values.get('shards')),
  };
}

function switchOf(text: string | undefined): boolean {
  return text !== undefined && !['false', '0', 'f', 'F', 'FALSE', 'False'].includes(text);
}

function portOf(text: string): number {
  if (!/^\d+$/.test(text)) throw new UserError(`lookup tcp/${text}: unknown port`);
  const port = Number(text);
  if (port > 65535) throw new UserError(`address ${text}: invalid port`);
  return port;
}

function shardsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const shards = Number(text);
  if (!Number.isInteger(shards) || shards < 1 || shards > 64) {
    throw new UserError(`-shards must be a number between 1 and 64, got "${text}"`);
  }
  return shards;
}
