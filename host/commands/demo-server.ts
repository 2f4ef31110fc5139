// npm start: the server over an embedded cluster, watched through the same client as a real one.

import { createSocket } from 'node:dgram';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, isIP } from 'node:net';
import { stdoutLog } from '../log.ts';
import { startDemoCluster } from './demo/cluster.ts';
import { type ServeOptions, serve } from './serve.ts';

const ADDRESS = '127.0.0.1';
const RESOLV_CONF = '/etc/resolv.conf';
const PORTS = { dns: 1053, health: 8080, ready: 8181, metrics: 9153 };
type Ports = Record<keyof typeof PORTS, number>;
/** Ports tried above a wanted one that is taken. */
const PORTS_TRIED = 200;

export type DemoOptions = Omit<ServeOptions, 'source' | 'defaultPort' | 'address'> & {
  /** YAML of the cluster's objects. */
  readonly file: string;
  /** Names outside the cluster go to the resolvers it names; /etc/resolv.conf by default. */
  readonly resolvConf?: string;
};

/** Serves on 127.0.0.1 and prints what to try. Throws UserError with one clear line. */
export async function serveDemo(options: DemoOptions): Promise<void> {
  const log = stdoutLog();
  const cluster = await startDemoCluster({ file: options.file, log });
  const ports = await choosePorts();
  const resolvConf = options.resolvConf ?? RESOLV_CONF;
  const text = demoCorefile(cluster.url, ports, resolvConf, hasNameserver(resolvConf));
  const source = { file: 'demo', read: () => text };
  const isServing = await serve({ ...options, source, defaultPort: ports.dns, address: ADDRESS });
  if (isServing && !options.isQuiet) for (const line of hints(options.file, ports)) log.plain(line);
}

function demoCorefile(api: string, ports: Ports, resolvConf: string, hasUpstream: boolean): string {
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

/** A machine without a resolver can still serve the demo. */
function hasNameserver(path: string): boolean {
  if (!existsSync(path)) return false;
  const words = readFileSync(path, 'utf8').matchAll(/^\s*nameserver\s+(\S+)/gm);
  return [...words].some(([, word]) => isIP(word!.replace(/%.*$/, '')) !== 0);
}

async function choosePorts(): Promise<Ports> {
  const ports = { ...PORTS };
  const taken = new Set<number>();
  for (const name of Object.keys(PORTS) as (keyof Ports)[]) {
    ports[name] = await freePort(PORTS[name], taken);
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

function hints(file: string, ports: Ports): readonly string[] {
  const dig = `  dig @${ADDRESS} -p ${ports.dns}`;
  const page = (port: number, path: string) => `http://${ADDRESS}:${port}${path}`;
  return [
    '',
    `Serving the demo cluster of ${file} on ${ADDRESS}:${ports.dns} (UDP and TCP). Edit the file: answers follow within a second. Try`,
    `${dig} kubernetes.default.svc.cluster.local`,
    `${dig} _http._tcp.web.shop.svc.cluster.local SRV`,
    `${dig} +tcp db.data.svc.cluster.local`,
    `${dig} -x 10.96.0.1`,
    `Metrics: ${page(ports.metrics, '/metrics')}   health: ${page(ports.health, '/health')}   ready: ${page(ports.ready, '/ready')}`,
    'A real cluster: npm start -- -conf Corefile, with `endpoint URL` or `kubeconfig FILE` in its kubernetes block.',
  ];
}
