// The command line of the server: CoreDNS's flags and a few more.

import { type FlagSet, Flags } from './flags.ts';

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
Other commands: wasmdns simulate -h, wasmdns node-cache -h
`;

const FLAGS: FlagSet = {
  withValue: ['conf', 'demo', 'dns.port', 'p', 'pidfile', 'shards'],
  switches: ['plugins', 'quiet', 'version'],
  aliases: { p: 'dns.port' },
  usage: USAGE,
};
const DNS_PORT = 53;

/** Throws UsageError and UserError. */
export function parseArguments(argv: readonly string[]): Arguments {
  const flags = new Flags(argv, FLAGS);
  return {
    conf: flags.text('conf'),
    demo: flags.text('demo'),
    port: flags.port('dns.port', DNS_PORT),
    pidFile: flags.text('pidfile'),
    isPlugins: flags.isOn('plugins'),
    isQuiet: flags.isOn('quiet'),
    isVersion: flags.isOn('version'),
    shards: flags.shards(),
  };
}
