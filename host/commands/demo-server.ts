// npm start: the server over an embedded cluster, watched through the same client as a real one.

import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
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
};

/** Serves on 127.0.0.1 and prints what to try. Throws UserError with one clear line. */
export async function serveDemo(options: DemoOptions): Promise<void> {
  const cluster = await startDemoCluster({ file: options.file, log: stdoutLog() });
  const ports = await choosePorts();
  const text = demoCorefile(cluster.url, ports, hasNameserver());
  const source = { file: 'demo', read: () => text };
  await serve({ ...options, source, defaultPort: ports.dns, address: ADDRESS });
  process.stdout.write(hints(options.file, ports));
}

function demoCorefile(api: string, ports: Ports, hasUpstream: boolean): string {
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
    ${hasUpstream ? `forward . ${RESOLV_CONF} {\n       max_concurrent 1000\n    }` : '# no nameserver in /etc/resolv.conf: names outside the cluster get SERVFAIL'}
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
function hasNameserver(): boolean {
  return existsSync(RESOLV_CONF) && /^\s*nameserver\s+\S/m.test(readFileSync(RESOLV_CONF, 'utf8'));
}

async function choosePorts(): Promise<Ports> {
  const ports = { ...PORTS };
  for (const name of Object.keys(PORTS) as (keyof Ports)[]) ports[name] = await freePort(PORTS[name]);
  return ports;
}

async function freePort(wanted: number): Promise<number> {
  for (let port = wanted; port < wanted + PORTS_TRIED; port++) if (await isFree(port)) return port;
  return wanted;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ port, host: ADDRESS }, () => probe.close(() => resolve(true)));
  });
}

function hints(file: string, ports: Ports): string {
  const dig = `  dig @${ADDRESS} -p ${ports.dns}`;
  return `
Serving the demo cluster of ${file} on ${ADDRESS}:${ports.dns} (UDP and TCP). Edit the file: answers follow within a second. Try
${dig} kubernetes.default.svc.cluster.local
${dig} _http._tcp.web.shop.svc.cluster.local SRV
${dig} +tcp db.data.svc.cluster.local
${dig} -x 10.96.0.1
Metrics: http://${ADDRESS}:${ports.metrics}/metrics   health: http://${ADDRESS}:${ports.health}/health   ready: http://${ADDRESS}:${ports.ready}/ready
A real cluster: npm start -- -conf Corefile, with \`endpoint URL\` or \`kubeconfig FILE\` in its kubernetes block.
`;
}
