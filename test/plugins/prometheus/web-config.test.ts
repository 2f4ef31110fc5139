import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';
import { readWebConfig } from '../../../host/plugins/prometheus/web-config.ts';
import { freePort } from '../../e2e/support/ports.ts';
import { newFolder, serve } from '../../server/process.ts';
import { ask as askHttp } from '../support/http.ts';

const CERTS = join(import.meta.dirname, 'certs');
const pem = (name: string) => readFileSync(join(CERTS, name), 'utf8');
const CA = pem('ca.pem');
/** Of "fakepassword". */
const HASH = '$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi';

/** A folder with the certificates and this web configuration. */
function folderWith(text: string): { folder: string; file: string } {
  const folder = newFolder();
  for (const name of ['ca.pem', 'server.pem', 'server.key']) copyFileSync(join(CERTS, name), join(folder, name));
  const file = join(folder, 'web.yaml');
  writeFileSync(file, text);
  return { folder, file };
}

const read = (text: string) => readWebConfig(folderWith(text).file);
const TLS = 'tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n';

test('the web configuration: every field', () => {
  const config = read(`${TLS}  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [scraper.test]
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  curve_preferences: [CurveP256, X25519]
  min_version: TLS12
  max_version: TLS13
  prefer_server_cipher_suites: false
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=1
rate_limit:
  interval: 1s
  burst: 20
basic_auth_users:
  alice: ${HASH}
`);
  assert.equal(config.tls?.clients, 'requireAndVerify');
  assert.deepEqual(config.tls.allowedSans, ['scraper.test']);
  assert.equal(config.tls.context.ciphers, 'ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256');
  assert.equal(config.tls.context.ecdhCurve, 'P-256:X25519');
  assert.deepEqual([config.tls.context.minVersion, config.tls.context.maxVersion], ['TLSv1.2', 'TLSv1.3']);
  assert.equal(config.tls.context.honorCipherOrder, false);
  assert.deepEqual(config.headers, { 'X-Frame-Options': 'deny', 'Strict-Transport-Security': 'max-age=1' });
  assert.deepEqual(config.rate, { intervalMs: 1000, burst: 20 });
  assert.deepEqual([...config.users.keys()], ['alice']);
  assert.equal(read('').tls, undefined, 'an empty file is plain HTTP');
  const inline = read(
    `tls_server_config:\n  cert: ${JSON.stringify(pem('server.pem'))}\n  key: ${JSON.stringify(pem('server.key'))}\n`,
  );
  assert.equal(inline.tls?.clients, 'none');
});

test('the web configuration: refusals', () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['nosuch: 1', /^yaml: unmarshal errors: field nosuch not found in type web\.Config$/],
    ['tls_server_config: [1]', /cannot unmarshal .* into web\.TLSConfig$/],
    ['a: [', /^yaml: /],
    ['tls_server_config:\n  key_file: server.key', /^missing one of cert or cert_file$/],
    ['tls_server_config:\n  cert_file: server.pem', /^missing one of key or key_file$/],
    [
      'tls_server_config:\n  cert_file: nosuch\n  key_file: server.key',
      /^failed to read cert_file \(nosuch\): open .*nosuch: no such file/,
    ],
    ['tls_server_config:\n  cert: x\n  key: y', /^failed to load X509KeyPair: /],
    [`${TLS}  client_auth_type: Sometimes`, /^invalid ClientAuth: Sometimes$/],
    [`${TLS}  client_ca_file: ca.pem`, /^client CA's have been configured without a Client Auth Policy$/],
    [`${TLS}  min_version: SSL3`, /^unknown TLS version: SSL3$/],
    [`${TLS}  cipher_suites: [RC4]`, /^unknown cipher: RC4$/],
    [`${TLS}  curve_preferences: [Curve9]`, /^unknown curve: Curve9$/],
    ['http_server_config:\n  headers:\n    X-My: 1', /^HTTP header "X-My" can not be configured$/],
    [
      'http_server_config:\n  headers:\n    X-Frame-Options: x',
      /^invalid value for X-Frame-Options\. Expected one of: \["deny" "sameorigin"\], but got: "x"$/,
    ],
    ["basic_auth_users:\n  alice: ''", /^basic_auth_users: the password of "alice" is no bcrypt hash$/],
    [
      `basic_auth_users:\n  alice: ${HASH.replace('$2y$10', '$2y$99')}`,
      /^basic_auth_users: the password of "alice" is no/,
    ],
    ['basic_auth_users:\n  alice: secret', /^basic_auth_users: the password of "alice" is no bcrypt hash$/],
    ['rate_limit:\n  interval: 5', /missing unit in duration "5"$/],
  ];
  for (const [text, message] of cases) assert.throws(() => read(text), { name: 'UserError', message }, text);
});

interface Client {
  readonly cert?: string;
  readonly key?: string;
  readonly auth?: string;
}

/** Status of GET /metrics over TLS; `refused` when there is no reply. */
function scrape(port: number, { cert, key, auth }: Client = {}): Promise<string> {
  return new Promise((resolve) => {
    const options = { host: '127.0.0.1', port, path: '/metrics', ca: CA, agent: false as const, ...(auth && { auth }) };
    get({ ...options, ...(cert && { cert: pem(cert), key: pem(key!) }) }, (response) => {
      const frame = response.headers['x-frame-options'];
      response.resume();
      response.on('end', () => resolve(`${response.statusCode}${frame === undefined ? '' : ` ${frame}`}`));
    }).on('error', () => resolve('refused'));
  });
}

async function serveWith(t: Parameters<typeof serve>[0], text: string) {
  const [dns, port] = [await freePort(), await freePort()];
  const { folder, file } = folderWith(text);
  const corefile = `.:${dns} {\n    prometheus 127.0.0.1:${port} {\n        tls ${file}\n    }\n    whoami\n}\n`;
  return { started: await serve(t, corefile), port, folder, file };
}

test('TLS: the certificate is the one that the file names now', async (t) => {
  const { started, port, folder, file } = await serveWith(t, TLS);
  assert.match(started.out, /^\[INFO\] Server is ready and accepting connections$/m);
  assert.equal(await scrape(port), '200');
  await assert.rejects(
    askHttp(port, '/metrics').then(({ status }) => assert.equal(status, 200)),
    'no plain HTTP',
  );
  for (const end of ['pem', 'key']) copyFileSync(join(CERTS, `server2.${end}`), join(folder, `server.${end}`));
  assert.equal(await scrape(port), '200', 'the certificates may be replaced');
  writeFileSync(file, 'nosuch: 1\n');
  assert.equal(await scrape(port), 'refused');
  await started.says(/\[ERROR\] Unable to parse configuration: yaml: /);
  writeFileSync(file, TLS);
  assert.equal(await scrape(port), '200');
});

test('client certificates: each client_auth_type', async (t) => {
  const known = { cert: 'client.pem', key: 'client.key' };
  const stranger = { cert: 'stranger.pem', key: 'stranger.key' };
  for (const [type, without, trusted, untrusted] of [
    ['NoClientCert', '200', '200', '200'],
    ['RequestClientCert', '200', '200', '200'],
    ['RequireAnyClientCert', 'refused', '200', '200'],
    ['VerifyClientCertIfGiven', '200', '200', 'refused'],
    ['RequireAndVerifyClientCert', 'refused', '200', 'refused'],
  ] as const) {
    const ca = type === 'NoClientCert' ? '' : '  client_ca_file: ca.pem\n';
    const { port, started } = await serveWith(t, `${TLS}  client_auth_type: ${type}\n${ca}`);
    const seen = [await scrape(port), await scrape(port, known), await scrape(port, stranger)];
    assert.deepEqual(seen, [without, trusted, untrusted], type);
    started.kill('SIGKILL');
  }
});

test('client_allowed_sans', async (t) => {
  const text = (san: string) =>
    `${TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [${san}]\n`;
  const known = { cert: 'client.pem', key: 'client.key' };
  assert.equal(await scrape((await serveWith(t, text('scraper.test'))).port, known), '200');
  assert.equal(await scrape((await serveWith(t, text('other.test'))).port, known), 'refused');
});

test('users, headers and a rate limit, also without TLS', async (t) => {
  const users = `basic_auth_users:\n  alice: ${HASH}\n`;
  const headers = 'http_server_config:\n  headers:\n    X-Frame-Options: deny\n';
  const { port } = await serveWith(t, TLS + users + headers);
  assert.equal(await scrape(port, { auth: 'alice:fakepassword' }), '200 deny');
  assert.equal(await scrape(port, { auth: 'alice:wrong' }), '401 deny');
  assert.equal(await scrape(port, { auth: 'bob:fakepassword' }), '401 deny');
  assert.equal(await scrape(port), '401 deny');
  const limited = await serveWith(t, 'rate_limit:\n  interval: 1h\n  burst: 2\n');
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await askHttp(limited.port, '/metrics')).status);
  assert.deepEqual(statuses, [200, 200, 429]);
});

test('a file that is missing or wrong: one line, no metrics, and the server runs', async (t) => {
  const [dns, port] = [await freePort(), await freePort()];
  const corefile = (file: string) => `.:${dns} {\n prometheus 127.0.0.1:${port} {\n  tls ${file}\n }\n whoami\n}\n`;
  const missing = await serve(t, corefile('/nosuch.yaml'));
  assert.match(missing.out, /^\[ERROR\] TLS config file does not exist: \/nosuch\.yaml$/m);
  await assert.rejects(askHttp(port, '/metrics'));
  const wrong = await serve(t, corefile(folderWith('tls_server_config:\n  cert_file: server.pem').file));
  assert.match(wrong.out, /^\[ERROR\] Failed to start HTTPS metrics server: missing one of key or key_file$/m);
});
