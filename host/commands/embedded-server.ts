// The server over an embedded API, on this machine only: what demo and simulate have in common.

import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, isIP } from 'node:net';
import { stdoutLog } from '../log.ts';
import { type ServeOptions, serve } from './serve.ts';

export const ADDRESS = '127.0.0.1';
const RESOLV_CONF = '/etc/resolv.conf';
const PORTS = { dns: 1053, health: 8080, ready: 8181, metrics: 9153 };
export type Ports = Record<keyof typeof PORTS, number>;
/** Ports tried above a wanted one that is taken. */
const PORTS_TRIED = 200;

export type EmbeddedOptions = Omit<ServeOptions, 'source' | 'defaultPort' | 'address'> & {
  /** What messages call the Corefile. */
  readonly name: string;
  readonly api: string;
  /** Tried first; another one if it is taken. */
  readonly dnsPort?: number;
  /** Names outside the cluster go to the resolvers it names; /etc/resolv.conf by default. */
  readonly resolvConf?: string;
  /** Lines that say what to try. */
  readonly hints: (ports: Ports) => readonly string[];
};

/** Serves on 127.0.0.1 and prints what to try. Throws UserError with one clear line. */
export async function serveEmbedded(options: EmbeddedOptions): Promise<void> {
  const ports = await choosePorts(options.dnsPort ?? PORTS.dns);
  const resolvConf = options.resolvConf ?? RESOLV_CONF;
  const text = embeddedCorefile(options.api, ports, resolvConf, hasNameserver(resolvConf));
  const source = { file: options.name, read: () => text };
  const isServing = await serve({ ...options, source, defaultPort: ports.dns, address: ADDRESS });
  const log = stdoutLog();
  if (isServing && !options.isQuiet) for (const line of options.hints(ports)) log.plain(line);
}

export function pagesHint(ports: Ports): string {
  const page = (port: number, path: string) => `http://${ADDRESS}:${port}${path}`;
  const [health, ready] = [page(ports.health, '/health'), page(ports.ready, '/ready')];
  return `Metrics: ${page(ports.metrics, '/metrics')}   health: ${health}   ready: ${ready}`;
}

function embeddedCorefile(api: string, ports: Ports, resolvConf: string, hasUpstream: boolean): string {
  const forward = hasUpstream
    ? `forward . ${JSON.stringify(resolvConf)} {\n       max_concurrent 1000\n    }`
    : '# no resolver on this machine: names outside the cluster get SERVFAIL';
  return `.:${ports.dns} {
    errors
    health ${ADDRESS}:${ports.health} {
       lameduck 1s
    }
    ready ${ADDRESS}:${ports.ready}
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       endpoint ${api}
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus ${ADDRESS}:${ports.metrics}
    ${forward}
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    reload
    loadbalance
}
`;
}

/** A machine without a resolver can still serve the cluster. */
function hasNameserver(path: string): boolean {
  if (!existsSync(path)) return false;
  const words = readFileSync(path, 'utf8').matchAll(/^\s*nameserver\s+(\S+)/gm);
  return [...words].some(([, word]) => isIP(word!.replace(/%.*$/, '')) !== 0);
}

async function choosePorts(dns: number): Promise<Ports> {
  const ports = { ...PORTS, dns };
  const taken = new Set<number>();
  for (const name of Object.keys(PORTS) as (keyof Ports)[]) {
    ports[name] = await freePort(ports[name], taken);
    taken.add(ports[name]);
  }
  return ports;
}

async function freePort(wanted: number, taken: ReadonlySet<number>): Promise<number> {
  for (let port = wanted; port < wanted + PORTS_TRIED; port++) {
    if (!taken.has(port) && (await isTcpFree(port)) && (await isUdpFree(port))) return port;
  }
  return wanted;
}

function isTcpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: ADDRESS }, () => probe.close(() => resolve(true)));
  });
}

function isUdpFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createSocket('udp4');
    probe.once('error', () => probe.close(() => resolve(false)));
    probe.bind({ port, address: ADDRESS }, () => probe.close(() => resolve(true)));
  });
}
