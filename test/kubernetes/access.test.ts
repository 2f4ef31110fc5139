// Where the API is and how to enter: every way of saying it, and what is told when it is said wrong.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { UserError } from '../../host/errors.ts';
import { type Access, checkAccess, loadAccess, type PodEnvironment } from '../../host/kubernetes/access.ts';
import { ApiClient } from '../../host/kubernetes/client.ts';
import { scriptedApi, status } from './scripted-api.ts';

const NO_POD: PodEnvironment = { host: undefined, port: undefined, root: '' };
const OBSERVER = { requested: () => {}, listed: () => {} };

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'wasmdns-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

function kubeconfig(server: string, user = '{token: secret}', more = ''): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    `clusters: [{name: c, cluster: {server: "${server}"${more}}}]`,
    `users: [{name: u, user: ${user}}]`,
    'contexts: [{name: x, context: {cluster: c, user: u}}, {name: lost, context: {cluster: nowhere, user: u}}]',
    'current-context: x',
  ].join('\n');
}

async function refusal(access: Access, pod = NO_POD): Promise<string> {
  try {
    checkAccess(access, pod);
    await loadAccess(access, pod);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error.message;
  }
  assert.fail('nothing was refused');
}

test('an endpoint that is no server is refused as client-go refuses it', () => {
  const check = (url: string) => checkAccess({ kind: 'endpoint', url, tls: undefined }, NO_POD);
  for (const url of [
    '127.0.0.1:1',
    '127.0.0.1:1/',
    'localhost',
    'http://localhost/x',
    'HTTP://localhost',
    'x?y',
    '[::1]:1',
  ]) {
    assert.equal(typeof check(url), 'string', url);
  }
  const head = 'plugin/kubernetes: failed to create kubernetes notification controller: ';
  const noPair = (url: string) => head + JSON.stringify(`host must be a URL or a host:port pair: "${url}"`);
  for (const url of ['127.0.0.1:1/api', 'localhost/x', 'http()://127.0.0.1:1', 'http:///x', 'http://', 'http://a:x']) {
    assert.throws(() => check(url), { name: 'UserError', message: noPair(url) }, url);
  }
  // Each asked of CoreDNS 1.14.7
  for (const url of ['http://[::1', 'http://[::1]x', 'http://%41']) {
    assert.throws(() => check(url), { name: 'UserError', message: noPair(url) }, url);
  }
  for (const [url, problem] of [
    ['[::1', "missing ']' in host"],
    ['[::1]:x', 'invalid port ":x" after host'],
    ['a b', 'invalid character " " in host name'],
    ['ht tp://a', 'invalid character " " in host name'],
    ['%zz', 'invalid URL escape "%zz"'],
    ['a%20b', 'invalid URL escape "%20"'],
    ['https://%zz:1', 'invalid URL escape "%zz"'],
  ]) {
    const message = head + JSON.stringify(`parse "http://${url}": ${problem}`);
    assert.throws(() => check(url!), { name: 'UserError', message }, url);
  }
  assert.throws(() => check('a<b'), /host must be a URL/, 'Go asks a resolver for it');
  const noPort = head + JSON.stringify('parse "http://localhost:x": invalid port ":x" after host');
  assert.throws(() => check('localhost:x'), { name: 'UserError', message: noPort });
  assert.throws(() => check(''), /no configuration has been provided/);
});

test('a kubeconfig that cannot be used is refused in one line', async (t) => {
  const at = directory(t);
  const file = (name: string, text: string): Access => {
    writeFileSync(join(at, name), text);
    return { kind: 'kubeconfig', file: join(at, name), context: undefined };
  };
  const nosuch: Access = { kind: 'kubeconfig', file: join(at, 'nosuch'), context: undefined };
  assert.equal(await refusal(nosuch), `plugin/kubernetes: stat ${at}/nosuch: no such file or directory`);
  const bad = await refusal(file('bad', 'garbage: ['));
  assert.ok(bad.startsWith(`plugin/kubernetes: error loading config file "${at}/bad": `), bad);
  assert.ok(!bad.includes('\n'));
  const none =
    'plugin/kubernetes: invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable';
  assert.equal(await refusal(file('none', kubeconfig('https://127.0.0.1:1').replace('current-context: x', ''))), none);
  assert.equal(await refusal(file('text', 'hello')), none);
  assert.match(
    await refusal(file('empty', '')),
    /^plugin\/kubernetes: (error loading config file|invalid configuration)/,
  );
  const good = file('good', kubeconfig('https://127.0.0.1:1')) as Extract<Access, { kind: 'kubeconfig' }>;
  assert.equal(await refusal({ ...good, context: 'y' }), 'plugin/kubernetes: context "y" does not exist');
  assert.match(await refusal({ ...good, context: 'lost' }), /cluster of context "lost" does not exist/);
  assert.equal(
    await refusal(file('wrong', kubeconfig('http://[::1'))),
    `plugin/kubernetes: failed to create kubernetes notification controller: ${JSON.stringify('host must be a URL or a host:port pair: "http://[::1"')}`,
  );
  const bare = await loadAccess(file('bare', kubeconfig('127.0.0.1:1')), NO_POD);
  assert.equal(bare.getCurrentCluster()!.server, 'http://127.0.0.1:1', 'as client-go completes it');
  const ca = file('ca', kubeconfig('https://127.0.0.1:1', '{token: x}', ', certificate-authority: nosuch.crt'));
  assert.equal(
    await refusal(ca),
    `plugin/kubernetes: invalid configuration: unable to read certificate-authority ${at}/nosuch.crt for c due to open ${at}/nosuch.crt: no such file or directory`,
  );
});

test('certificates that are not there are named, all of them', async () => {
  const tls = { cert: 'nosuch-a', key: 'nosuch-b', ca: 'nosuch-c' };
  assert.equal(
    await refusal({ kind: 'endpoint', url: 'https://127.0.0.1:1', tls }),
    'plugin/kubernetes: invalid configuration: [unable to read client-cert nosuch-a for  due to open nosuch-a: no such file or directory, unable to read client-key nosuch-b for  due to open nosuch-b: no such file or directory, unable to read certificate-authority nosuch-c for  due to open nosuch-c: no such file or directory]',
  );
});

test('outside of a pod there is no in-cluster configuration', async (t) => {
  const access: Access = { kind: 'in-cluster' };
  assert.equal(
    await refusal(access),
    'plugin/kubernetes: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined',
  );
  const root = directory(t);
  assert.equal(
    await refusal(access, { host: '10.96.0.1', port: '443', root }),
    `plugin/kubernetes: open ${root}/var/run/secrets/kubernetes.io/serviceaccount/token: no such file or directory`,
  );
});

test('a pod enters with the token of its service account', async (t) => {
  const root = directory(t);
  const account = join(root, 'var/run/secrets/kubernetes.io/serviceaccount');
  mkdirSync(account, { recursive: true });
  writeFileSync(join(account, 'token'), 'first\n');
  const pod = { host: 'fd00::1', port: '443', root };
  checkAccess({ kind: 'in-cluster' }, pod);
  const config = await loadAccess({ kind: 'in-cluster' }, pod);
  assert.equal(config.getCurrentCluster()?.server, 'https://[fd00::1]:443');
  const options: { headers?: Record<string, string> } = {};
  await config.applyToHTTPSOptions(options);
  assert.equal(options.headers?.['Authorization']?.trim(), 'Bearer first');
});

test('a token that is refused is read again before the next request', async (t) => {
  const root = directory(t);
  const token = join(root, 'token');
  writeFileSync(token, 'first\n');
  const api = await scriptedApi((response, request) => {
    status(request.headers.authorization === 'Bearer second' ? 200 : 401, '')(response, request);
  });
  const file = join(root, 'kubeconfig');
  writeFileSync(file, kubeconfig(api.url, '{ tokenFile: token, token: another }'));
  const config = await loadAccess({ kind: 'kubeconfig', file, context: undefined }, NO_POD);
  const client = new ApiClient(config, OBSERVER, 1000);
  t.after(async () => {
    client.close();
    await api.close();
  });
  const code = async () => {
    const response = await client.open('/', '*/*', new AbortController().signal);
    response.resume();
    return response.statusCode;
  };
  assert.equal(await code(), 401);
  writeFileSync(token, 'second\n');
  assert.equal(await code(), 200);
});

/** Connections that three requests, one after the other, have taken. */
async function connectionsOfThree(t: TestContext, isFresh: boolean): Promise<number> {
  const ports = new Set<number | undefined>();
  const api = await scriptedApi((response, request) => {
    ports.add(request.socket.remotePort);
    status(200, '')(response, request);
  });
  const config = await loadAccess({ kind: 'endpoint', url: api.url, tls: undefined }, NO_POD);
  const client = new ApiClient(config, OBSERVER, 1000);
  t.after(async () => {
    client.close();
    await api.close();
  });
  for (let i = 0; i < 3; i++) {
    const response = await client.open('/', '*/*', new AbortController().signal, isFresh);
    for await (const _ of response);
  }
  return ports.size;
}

test('a connection of its own for who asks for one', async (t) => {
  assert.equal(await connectionsOfThree(t, true), 3);
});

test('the server of an endpoint, with and without a scheme', async () => {
  const server = async (url: string) => {
    const config = await loadAccess({ kind: 'endpoint', url, tls: undefined }, NO_POD);
    return config.getCurrentCluster()?.server;
  };
  assert.equal(await server('127.0.0.1:8080'), 'http://127.0.0.1:8080');
  assert.equal(await server('http://127.0.0.1:8080/'), 'http://127.0.0.1:8080');
  assert.equal(await server('https://example.org'), 'https://example.org');
});

test('token, user agent and path of a request', async (t) => {
  const api = await scriptedApi(status(200, ''));
  const at = directory(t);
  writeFileSync(join(at, 'k'), kubeconfig(`${api.url}/prefix`));
  const codes: string[] = [];
  const config = await loadAccess({ kind: 'kubeconfig', file: join(at, 'k'), context: 'x' }, NO_POD);
  const client = new ApiClient(config, { ...OBSERVER, requested: (code, host) => codes.push(`${code} ${host}`) }, 1000);
  t.after(async () => {
    client.close();
    await api.close();
  });
  const response = await client.open('/api/v1/services?limit=5', 'application/json', new AbortController().signal);
  response.resume();
  assert.equal(api.requests[0], '/prefix/api/v1/services?limit=5');
  assert.equal(api.headers[0]?.authorization, 'Bearer secret');
  assert.match(api.headers[0]?.['user-agent'] ?? '', /^wasmdns\//);
  assert.deepEqual(codes, [`200 ${new URL(api.url).host}`]);
});

test('requests share a connection', async (t) => {
  assert.equal(await connectionsOfThree(t, false), 1);
});

test('equal access has one key, another kubeconfig another', (t) => {
  const file = join(directory(t), 'k');
  const access: Access = { kind: 'kubeconfig', file, context: undefined };
  writeFileSync(file, kubeconfig('https://127.0.0.1:1'));
  const key = checkAccess(access, NO_POD);
  assert.equal(checkAccess(access, NO_POD), key);
  writeFileSync(file, kubeconfig('https://127.0.0.1:2'));
  assert.notEqual(checkAccess(access, NO_POD), key);
});
