// The small HTTP server of health, ready and prometheus, with the answers of Go's ServeMux (seen on CoreDNS 1.14.7).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HttpEndpoint } from '../../host/plugin/http-endpoint.ts';
import { ask } from '../plugins/support/http.ts';

let endpoint: HttpEndpoint;
let port: number;

before(async () => {
  const at = { address: '127.0.0.1', port: 0 };
  endpoint = new HttpEndpoint(
    at,
    '/health',
    () => ({ status: 200, body: 'OK' }),
    () => {},
  );
  port = (await endpoint.listening()).port;
});
after(() => endpoint.stop());

test('one path is answered, whatever the method and the query', async () => {
  for (const [path, method] of [
    ['/health', 'GET'],
    ['/health', 'POST'],
    ['/health?a=b', 'GET'],
  ] as const) {
    const { status, body, headers } = await ask(port, path, method);
    assert.deepEqual([status, body], [200, 'OK'], `${method} ${path}`);
    assert.equal(headers['content-type'], 'text/plain; charset=utf-8');
  }
  assert.equal((await ask(port, '/health', 'HEAD')).status, 200);
});

test('another path is not found', async () => {
  for (const path of ['/', '/health/', '/Health', '/healthz', '/x?/health']) {
    const { status, body, headers } = await ask(port, path);
    assert.deepEqual([status, body], [404, '404 page not found\n'], path);
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
});

test('a path that is not clean is sent to the clean one', async () => {
  for (const [path, location] of [
    ['//health', '/health'],
    ['/./health', '/health'],
    ['/a/../health', '/health'],
    ['/health//', '/health/'],
    ['//health?a=b', '/health?a=b'],
  ] as const) {
    const { status, body, headers } = await ask(port, path);
    assert.deepEqual([status, headers['location']], [307, location], path);
    assert.equal(body, `<a href="${location}">Temporary Redirect</a>.\n\n`);
  }
  assert.equal((await ask(port, '//health', 'POST')).body, '');
});

test('a port that is none is told in the words of Go', async () => {
  const at = { address: '', port: 0, fault: 'lookup tcp/x: unknown port' };
  const other = new HttpEndpoint(
    at,
    '/x',
    () => ({ status: 200, body: '' }),
    () => {},
  );
  await assert.rejects(other.listening(), { name: 'UserError', message: 'listen tcp: lookup tcp/x: unknown port' });
});
