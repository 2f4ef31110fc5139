// The ways to an API server: `endpoint` over HTTP, over TLS with a client certificate, a context of a kubeconfig, and
// certificates that are not trusted. CoreDNS and wasmdns find the same cluster, or say the same.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createHttpsServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Pair } from './dnssd/pair.ts';
import { until } from './support/child.ts';
import { ControlPlane, DNS_TOKEN } from './support/control-plane.ts';
import { namespace, service } from './support/objects.ts';
import { repository } from './support/tools.ts';

const CERTS = join(repository, 'test/plugins/prometheus/certs');
const certificate = (name: string) => join(CERTS, name);
const NAME = 'web.access.svc.cluster.local.';

let plane: ControlPlane;
/** In front of the API server, with the token that their clients lack. */
let plain: Server;
let secured: Server;

before(async () => {
  plane = await ControlPlane.start();
  await plane.api.createAll([
    namespace('access'),
    service({ namespace: 'access', name: 'web' }, { clusterIP: '10.99.0.1' }),
  ]);
  const read = (name: string) => readFileSync(certificate(name));
  const keys = { key: read('server.key'), cert: read('server.pem'), ca: read('ca.pem'), requestCert: true };
  plain = createHttpServer(passOn);
  secured = createHttpsServer({ ...keys, rejectUnauthorized: true }, passOn);
  for (const server of [plain, secured]) await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});

after(async () => {
  for (const server of [plain, secured]) {
    server?.closeAllConnections();
    server?.close();
  }
  await plane?.stop();
});

function passOn(query: IncomingMessage, reply: ServerResponse): void {
  const headers = { ...query.headers, host: `127.0.0.1:${plane.port}`, authorization: `Bearer ${DNS_TOKEN}` };
  const place = { host: '127.0.0.1', port: plane.port, path: query.url!, method: query.method!, headers };
  const sent = request({ ...place, rejectUnauthorized: false }, (answer) => {
    reply.writeHead(answer.statusCode!, answer.headers);
    reply.flushHeaders();
    answer.pipe(reply);
  });
  sent.on('error', () => reply.destroy());
  reply.on('close', () => sent.destroy());
  query.pipe(sent);
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const corefile = (...options: readonly string[]) => `.:@PORT@ {
    errors
    ready 127.0.0.1:@READY@
    kubernetes cluster.local {
        ${options.join('\n        ')}
        startup_timeout 2s
    }
}
`;

const said = ({ child }: { child: { output(): string } }) =>
  [...new Set(child.output().match(/\[[A-Z]+\] plugin\/kubernetes: .*/g) ?? [])].sort();

/** Both answer, and both have logged the same. */
async function finds(...options: readonly string[]): Promise<void> {
  const pair = await Pair.start(corefile(...options), { kubeconfig: plane.writeKubeconfig() });
  await pair.answers(NAME, 'A', 'NOERROR', ['10.99.0.1']);
  await pair.answers(`no.${NAME}`, 'A', 'NXDOMAIN');
  const [ours, theirs] = pair.servers.map(said);
  assert.deepEqual(ours, theirs);
  await pair.stop();
}

/** Neither finds the cluster, and both say the same words about it. */
async function misses(words: RegExp, ...options: readonly string[]): Promise<void> {
  const pair = await Pair.start(corefile(...options), { isUnsynced: true });
  await pair.answers(NAME, 'A', 'SERVFAIL');
  const lines = () => pair.servers.map(said);
  const isSame = () => {
    const [ours, theirs] = lines();
    return ours!.join() === theirs!.join() && ours!.some((line) => words.test(line));
  };
  // Each kind of object is tried at its own time.
  await until(`both say ${words}`, 10_000, async () => isSame()).catch(() => assert.fail(lines().join('\n/\n')));
  await pair.stop();
}

test('endpoint over HTTP', () => finds(`endpoint http://127.0.0.1:${portOf(plain)}`));

test('endpoint without scheme', () => finds(`endpoint 127.0.0.1:${portOf(plain)}`));

test('several endpoints: the first', () => finds(`endpoint http://127.0.0.1:${portOf(plain)} http://127.0.0.1:1`));

test('endpoint over TLS with a client certificate', () =>
  finds(
    `endpoint https://127.0.0.1:${portOf(secured)}`,
    `tls ${certificate('client.pem')} ${certificate('client.key')} ${certificate('ca.pem')}`,
  ));

test('kubeconfig with a context', () => finds('kubeconfig @KUBECONFIG@ x'));

test('kubeconfig goes before endpoint', () => finds('endpoint http://127.0.0.1:1', 'kubeconfig @KUBECONFIG@'));

test('a client certificate that the API server does not trust', () =>
  misses(
    /Failed to watch|unsynced/,
    `endpoint https://127.0.0.1:${portOf(secured)}`,
    `tls ${certificate('stranger.pem')} ${certificate('stranger.key')} ${certificate('ca.pem')}`,
  ));

test('an API server whose certificate is not trusted', () =>
  misses(
    /Failed to watch.*x509|certificate/,
    `endpoint https://127.0.0.1:${portOf(secured)}`,
    `tls ${certificate('client.pem')} ${certificate('client.key')} ${certificate('stranger.pem')}`,
  ));
