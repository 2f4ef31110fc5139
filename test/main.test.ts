// The command line of the built program: what it prints where, and how it ends.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import packageFile from '../package.json' with { type: 'json' };
import { WRONG_COREFILES } from './e2e/faults/corefiles.ts';
import { freePort } from './e2e/support/ports.ts';
import { ask, httpServer, newFolder, page, STACK_TRACE, type StartOptions, serve, start } from './server/process.ts';

const BANNER = [`wasmdns-${packageFile.version}`, `linux/${process.arch}, node${process.versions.node}`];

/** Starts what must not come up: nothing on standard output, one line of text on standard error. */
async function refused(t: TestContext, args: readonly string[], options: StartOptions = {}): Promise<string> {
  const started = start(t, args, options);
  const { code } = await started.ends();
  assert.equal(code, 1, started.out + started.err);
  assert.equal(started.out, '');
  assert.doesNotMatch(started.err, STACK_TRACE);
  assert.match(started.err, /^[^\n]+\n$/, 'one line');
  return started.err.trimEnd();
}

function refusedCorefile(t: TestContext, corefile: string): Promise<string> {
  return refused(t, ['-conf', 'Corefile'], { corefile });
}

describe('flags', { concurrency: 6 }, () => {
  test('-version', async (t) => {
    const started = start(t, ['-version']);
    assert.equal((await started.ends()).code, 0);
    assert.deepEqual(started.lines, BANNER);
    assert.equal(started.err, '');
  });

  test('-plugins: sorted, one a line', async (t) => {
    const started = start(t, ['-plugins']);
    assert.equal((await started.ends()).code, 0);
    assert.deepEqual(started.lines, started.lines.toSorted());
    for (const name of ['cache', 'errors', 'forward', 'health', 'kubernetes', 'loop', 'ready', 'reload', 'whoami']) {
      assert.ok(started.lines.includes(name), name);
    }
  });

  test('-h: the usage on standard error, exit 0', async (t) => {
    const started = start(t, ['-h']);
    assert.equal((await started.ends()).code, 0);
    assert.match(started.err, /^Usage of wasmdns:\n {2}-conf string\n/);
    assert.equal(started.out, '');
  });

  for (const [argv, line] of [
    ['-nosuch', 'flag provided but not defined: -nosuch'],
    ['-quiet=x', 'invalid boolean value "x" for -quiet: parse error'],
  ] as const) {
    test(`${argv}: exit 2 with the usage`, async (t) => {
      const started = start(t, [argv]);
      assert.equal((await started.ends()).code, 2);
      assert.equal(started.out, '');
      assert.ok(started.err.startsWith(`${line}\nUsage of wasmdns:\n`), started.err);
    });
  }

  test('words that are no flags', async (t) => {
    const started = start(t, ['extra']);
    assert.equal((await started.ends()).code, 1);
    assert.equal(started.err, 'extra command line arguments: [extra -shards 1]\n');
  });

  test('a default port that is none', async (t) => {
    const corefile = '.\nwhoami\n';
    assert.equal(await refused(t, ['-dns.port', 'x'], { corefile }), 'lookup tcp/x: unknown port');
    assert.equal(await refused(t, ['-p', '70000'], { corefile }), 'address 70000: invalid port');
  });

  test('a Corefile that cannot be read', async (t) => {
    assert.equal(await refused(t, ['-conf', 'nosuch']), 'loading Corefile: open nosuch: no such file or directory');
    assert.equal(await refused(t, ['-conf', '.']), 'loading Corefile: read .: is a directory');
  });

  test('-quiet hides no error', async (t) => {
    const corefile = '. {\n nosuch\n}\n';
    assert.equal(
      await refused(t, ['-quiet'], { corefile }),
      "Corefile:2 - Error during parsing: Unknown directive 'nosuch'",
    );
  });
});

describe('where the configuration comes from', { concurrency: 6 }, () => {
  test('-conf FILE: zone lines, then the banner', async (t) => {
    const port = await freePort();
    const started = await serve(t, `b.example:${port} .:${port} {\n whoami\n}\n`);
    assert.deepEqual(started.lines, [`.:${port}`, `b.example.:${port}`, ...BANNER]);
    assert.equal(await ask(port, 'x.example'), 'NOERROR');
    assert.equal(await ask(port, 'x.example', { proto: 'tcp' }), 'NOERROR');
    assert.equal(started.err, '');
  });

  test('Corefile in the working directory, on the default port', async (t) => {
    const port = await freePort();
    const started = await start(t, ['-p', String(port)], { corefile: '. {\n whoami\n}\n' }).serves();
    assert.equal(started.lines[0], `.:${port}`);
    assert.equal(await ask(port, 'x.example'), 'NOERROR');
  });

  test('no Corefile at all: whoami and log', async (t) => {
    const started = await start(t, ['-dns.port', '0']).serves();
    const port = Number((await started.says(/^\.:(\d+)\n/))[1]);
    assert.ok(port > 0);
    assert.equal(await ask(port, 'x.example'), 'NOERROR');
    await started.says(/\[INFO\] 127\.0\.0\.1:\d+ - \d+ "A IN x\.example\. udp/);
  });

  test('-conf stdin', async (t) => {
    const port = await freePort();
    const started = await start(t, ['-conf', 'stdin'], { input: `.:${port} {\n whoami\n}\n` }).serves();
    assert.equal(await ask(port, 'x.example'), 'NOERROR');
    const from = started.out.length;
    started.kill('SIGUSR1');
    await started.says(/Reloading complete/, from);
    assert.equal(await ask(port, 'x.example'), 'NOERROR');
  });

  test('-conf stdin with a mistake, and with nothing', async (t) => {
    assert.equal(
      await refused(t, ['-conf', 'stdin'], { input: '. {\n nosuch\n}\n' }),
      "/dev/stdin:2 - Error during parsing: Unknown directive 'nosuch'",
    );
    const started = await start(t, ['-conf', 'stdin', '-p', '0'], { input: '' }).serves();
    assert.match(started.out, /^\.:\d+\n/);
  });

  test('-quiet: neither zones nor banner', async (t) => {
    const port = await freePort();
    const pidFile = join(newFolder(), 'x.pid');
    const started = start(t, ['-quiet', '-conf', 'Corefile', '-pidfile', pidFile], {
      corefile: `_odd.example:${port} {\n whoami\n}\n`,
    });
    while (!existsSync(pidFile)) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(await ask(port, 'x._odd.example'), 'NOERROR');
    assert.equal(started.out, '');
  });

  test('a strange zone is served with a warning', async (t) => {
    const port = await freePort();
    const started = await serve(t, `foo://example.org:${port} {\n whoami\n}\n`);
    assert.deepEqual(started.lines.slice(0, 2), [
      'Warning: Domain "foo://example.org." does not follow RFC1035 preferred syntax',
      `foo://example.org.:${port}`,
    ]);
  });
});

describe('pid file', { concurrency: 6 }, () => {
  test('holds the pid while it serves', async (t) => {
    const started = await serve(t, '.:0 {\n whoami\n}\n', ['-pidfile', 'x.pid']);
    const path = join(started.folder, 'x.pid');
    assert.equal(readFileSync(path, 'utf8'), `${started.pid}\n`);
    started.kill('SIGTERM');
    assert.equal((await started.ends()).code, 0);
    assert.equal(existsSync(path), false);
  });

  test('is only logged where it cannot be written', async (t) => {
    const started = await serve(t, '.:0 {\n whoami\n}\n', ['-pidfile', 'nodir/x.pid']);
    assert.match(
      started.out,
      /^\.:\d+\n\[ERROR\] Could not write pidfile: open nodir\/x\.pid: no such file or directory\nwasmdns-/,
    );
  });

  test('is not written by a start that fails', async (t) => {
    const cwd = newFolder();
    await refused(t, ['-pidfile', 'x.pid'], { cwd, corefile: '. {\n nosuch\n}\n' });
    assert.equal(existsSync(join(cwd, 'x.pid')), false);
  });
});

describe('wrong Corefiles: file, line and word, exit 1, nothing on standard output', { concurrency: 6 }, () => {
  assert.ok(WRONG_COREFILES.length >= 20);
  for (const { kind, text, line, word } of WRONG_COREFILES) {
    test(kind, async (t) => {
      const said = await refusedCorefile(t, text.replaceAll('@PORT@', '0'));
      assert.match(said, new RegExp(`\\bCorefile:${line}\\b`), said);
      assert.ok(said.includes(word.replaceAll('@PORT@', '0')), said);
    });
  }

  test('the file is named as it was given', async (t) => {
    const cwd = newFolder();
    writeFileSync(join(cwd, 'other'), '. {\n\n nosuch\n}\n');
    assert.match(await refused(t, ['-conf', './other'], { cwd }), /^\.\/other:3 - .*'nosuch'$/);
  });

  test('an imported file is named', async (t) => {
    const cwd = newFolder();
    writeFileSync(join(cwd, 'part'), '# a comment\nnosuch\n');
    const said = await refused(t, [], { cwd, corefile: '. {\n import part\n}\n' });
    assert.match(said, /part:2 - .*'nosuch'$/);
  });
});

describe('what a configuration asks for and does not get', { concurrency: 6 }, () => {
  test('a TCP port that another program holds', async (t) => {
    const port = await freePort();
    const server = createServer();
    await new Promise<void>((resolve) => server.listen({ port, host: '::', exclusive: true }, resolve));
    t.after(() => server.close());
    const said = await refusedCorefile(t, `.:${port} {\n whoami\n}\n`);
    assert.equal(said, `Listen: listen tcp :${port}: bind: address already in use`);
  });

  test('a UDP port that another program holds', async (t) => {
    const port = await freePort();
    const socket = createSocket('udp6');
    await new Promise<void>((resolve) => socket.bind({ port, exclusive: true }, resolve));
    t.after(() => socket.close());
    const said = await refusedCorefile(t, `.:${port} {\n whoami\n}\n`);
    assert.equal(said, `ListenPacket: listen udp :${port}: bind: address already in use`);
  });

  test('a health port that another program holds: no waiting for Kubernetes before', async (t) => {
    const port = await httpServer(t, 200, '');
    const said = await refusedCorefile(
      t,
      `.:0 {\n kubernetes cluster.local {\n  endpoint http://127.0.0.1:1\n }\n health 127.0.0.1:${port}\n}\n`,
    );
    assert.equal(said, `plugin/health: Corefile:5 - listen tcp 127.0.0.1:${port}: bind: address already in use`);
  });

  test('ready and metrics ports that another program holds: nothing and an error, and it serves', async (t) => {
    const port = await httpServer(t, 200, 'another');
    const dns = await freePort();
    const started = await serve(t, `.:${dns} {\n whoami\n ready 127.0.0.1:${port}\n prometheus 127.0.0.1:${port}\n}\n`);
    assert.doesNotMatch(started.out, /plugin.ready/, 'CoreDNS says nothing either');
    assert.match(started.out, /\[ERROR\] Failed to start metrics handler: .*address already in use\n/);
    assert.equal(await ask(dns, 'x.example'), 'NOERROR');
    assert.equal(await page(port, '/ready'), '200 another');
  });

  const kubernetes = (line: string) => `.:0 {\n kubernetes cluster.local {\n  ${line}\n }\n}\n`;

  test('a kubeconfig that does not exist', async (t) => {
    const said = await refusedCorefile(t, kubernetes('kubeconfig nosuch'));
    assert.equal(said, 'plugin/kubernetes: Corefile:2 - Error during parsing: stat nosuch: no such file or directory');
  });

  test('a kubeconfig that is none', async (t) => {
    for (const [text, reason] of [
      ['a: [\n', /error loading config file "config":/],
      ['apiVersion: v1\nkind: Config\nclusters: []\ncontexts: []\nusers: []\n', /no configuration has been provided/],
      ['', /plugin\/kubernetes: Corefile:2 - /],
    ] as const) {
      const cwd = newFolder();
      writeFileSync(join(cwd, 'config'), text);
      const said = await refused(t, [], { cwd, corefile: kubernetes('kubeconfig config') });
      assert.match(said, /^plugin\/kubernetes: Corefile:2 - /);
      assert.match(said, reason);
    }
  });

  test('no cluster around the process', async (t) => {
    const options = { corefile: '.:0 {\n kubernetes cluster.local\n}\n', env: { KUBERNETES_SERVICE_HOST: '' } };
    const said = await refused(t, [], options);
    assert.match(
      said,
      /^plugin\/kubernetes: Corefile:2 - Error during parsing: unable to load in-cluster configuration/,
    );
  });
});
