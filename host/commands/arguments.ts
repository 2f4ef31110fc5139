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
/** Two words for the same thing: the last one counts. */
const ALIASES: Readonly<Record<string, string>> = { p: 'dns.port' };
/** What Go's strconv.ParseBool takes. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];
const SHARDS_MAX = 64;

/** Throws UsageError and UserError. */
export function parseArguments(argv: readonly string[]): Arguments {
  const { values, rest } = parseFlags(argv);
  const parsed: Arguments = {
    conf: values.get('conf'),
    demo: values.get('demo'),
    port: portOf(values.get('dns.port') ?? '53'),
    pidFile: values.get('pidfile'),
    isPlugins: values.get('plugins') === 'true',
    isQuiet: values.get('quiet') === 'true',
    isVersion: values.get('version') === 'true',
    shards: shardsOf(values.get('shards')),
  };
  if (rest.length > 0) throw new UserError(`extra command line arguments: [${rest.join(' ')}]`);
  return parsed;
}

/** Flags end at the first other word, or behind `--`. */
function parseFlags(argv: readonly string[]): { values: ReadonlyMap<string, string>; rest: readonly string[] } {
  const values = new Map<string, string>();
  let i = 0;
  for (; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return { values, rest: argv.slice(i + 1) };
    if (!word.startsWith('-') || word === '-') break;
    const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
    if (match === null) throw new UsageError(`bad flag syntax: ${word}`);
    const [, name, inline] = match as unknown as [string, string, string | undefined];
    if (SWITCHES.includes(name)) values.set(name, switchOf(name, inline ?? 'true'));
    else if (WITH_VALUE.includes(name)) {
      const value = inline ?? argv[++i];
      if (value === undefined) throw new UsageError(`flag needs an argument: -${name}`);
      values.set(ALIASES[name] ?? name, value);
    } else throw new UsageError(name === 'h' || name === 'help' ? '' : `flag provided but not defined: -${name}`);
  }
  return { values, rest: argv.slice(i) };
}

function switchOf(name: string, text: string): string {
  if (TRUE.includes(text)) return 'true';
  if (FALSE.includes(text)) return 'false';
  throw new UsageError(`invalid boolean value "${text}" for -${name}: parse error`);
}

/** The words of Go's resolver, which looks at the port when the server begins to listen. */
function portOf(text: string): number {
  if (!/^[-+]?\d+$/.test(text)) throw new UserError(`lookup tcp/${text}: unknown port`);
  const port = Number(text);
  if (port < 0 || port > 65535) throw new UserError(`address ${text}: invalid port`);
  return port;
}

function shardsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const shards = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (shards < 1 || shards > SHARDS_MAX) {
    throw new UsageError(`invalid value "${text}" for flag -shards: must be a number between 1 and ${SHARDS_MAX}`);
  }
  return shards;
}
