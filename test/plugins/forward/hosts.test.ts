import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CLASS_IN, FLAG_RD, TYPE_A, TYPE_AAAA } from '../../../engine-as/shared/codes.ts';
import { addressOctets } from '../../../host/dns/address.ts';
import { composeMessage } from '../../../host/dns/message.ts';
import type { ControlServices, ServerBlock } from '../../../host/plugin/contract.ts';
import { forward } from '../../../host/plugins/forward/forward.ts';
import { dialProblem, type UpstreamTarget } from '../../../host/plugins/forward/targets.ts';
import { readerOf } from '../../corefile/reader-of.ts';
import { withUpstream } from './scene.ts';
import { goodAnswer, type Reply, type Seen } from './scripted-upstream.ts';
import { Counters } from './world.ts';

const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  'one.example. 1': ['10.0.0.1', '10.0.0.2'],
  'one.example. 28': ['2001:db8::1'],
  'two.example. 1': ['10.0.0.2', '10.0.0.3'],
  'six.example. 28': ['2001:db8::6'],
};

/** A resolver that knows ADDRESSES; an alias stands in front of each answer. */
function knowing({ message, name }: Seen): Uint8Array {
  const question = message.questions[0]!;
  const found = ADDRESSES[`${name} ${question.type}`] ?? [];
  const reply = { ...message, flags: message.flags | 0x8180 };
  return composeMessage({
    ...reply,
    answer: found.map((address) => ({
      name: 'elsewhere.example.',
      type: question.type,
      class: CLASS_IN,
      ttl: 5,
      rdata: addressOctets(address)!,
    })),
  });
}

/** Labels `to` of the upstreams that a stanza comes to. Rejects as the configuration would be refused. */
async function upstreamsOf(stanza: string): Promise<readonly string[]> {
  return (await targetsOf(stanza)).map(({ text }) => text);
}

async function targetsOf(stanza: string): Promise<readonly UpstreamTarget[]> {
  const config = forward.parse(readerOf('forward', stanza));
  const services = {
    shardCount: 1,
    metrics: new Counters().metrics,
    words: new Int32Array(16),
    claimWord: () => 0,
    log: { withPrefix: () => ({ warning: () => undefined }) },
  } as unknown as ControlServices;
  const control = forward.control!(config, { index: 0 } as ServerBlock, services);
  await control.start?.();
  return control.shared!.stanzas[0]!.upstreams;
}

test('host names: A before AAAA, in the order of the words, ports kept, duplicates removed', () =>
  withUpstream(knowing, async (resolver) => {
    const found = await upstreamsOf(
      `forward . one.example two.example 10.0.0.3 10.0.0.4 one.example:54 {\nresolver ${resolver.text}\n}`,
    );
    assert.deepEqual(found, [
      '10.0.0.1:53',
      '10.0.0.2:53',
      '[2001:db8::1]:53',
      '10.0.0.3:53',
      '10.0.0.4:53',
      '10.0.0.1:54',
      '10.0.0.2:54',
      '[2001:db8::1]:54',
    ]);
    const [first, second] = resolver.seen;
    assert.deepEqual(
      [first!.proto, first!.message.flags, first!.message.edns, first!.message.questions[0]!.type],
      ['udp', FLAG_RD, undefined, TYPE_A],
    );
    assert.equal(second!.message.questions[0]!.type, TYPE_AAAA);
  }));

test('resolver: the next one when the first knows nothing, or says nothing sensible', () =>
  withUpstream(knowing, async (resolver) => {
    const silly: ((query: Seen) => Reply)[] = [
      (query) => goodAnswer(query, { addresses: [], rcode: 3 }),
      (query) => goodAnswer(query).subarray(0, 40),
    ];
    for (const script of silly) {
      await withUpstream(script, async (first) => {
        const found = await upstreamsOf(`forward . six.example {\nresolver ${first.text} ${resolver.text}\n}`);
        assert.deepEqual(found, ['[2001:db8::6]:53']);
        assert.ok(first.seen.length > 0);
      });
    }
  }));

test('a reply with another id is not taken', () =>
  withUpstream(
    (query) => [goodAnswer(query, { id: query.message.id ^ 1, addresses: [[192, 0, 2, 66]] }), knowing(query)],
    async (resolver) => {
      assert.deepEqual(await upstreamsOf(`forward . two.example {\nresolver ${resolver.text}\n}`), [
        '10.0.0.2:53',
        '10.0.0.3:53',
      ]);
    },
  ));

test('A is enough when AAAA fails', () =>
  withUpstream(
    (query) => (query.message.questions[0]!.type === TYPE_A ? knowing(query) : undefined),
    async (resolver) => {
      assert.deepEqual(await upstreamsOf(`forward . two.example {\nresolver ${resolver.text}\n}`), [
        '10.0.0.2:53',
        '10.0.0.3:53',
      ]);
    },
  ));

test('host names that are not found refuse the configuration', () =>
  withUpstream(
    (query) => goodAnswer(query, { addresses: [], rcode: 3 }),
    async (resolver) => {
      await assert.rejects(upstreamsOf(`forward . no.example {\nresolver ${resolver.text}\n}`), {
        name: 'UserError',
        message: 'failed to resolve "no.example": no addresses found for "no.example"',
      });
      await assert.rejects(upstreamsOf('forward . 1.2.3.4.5'), {
        name: 'UserError',
        message: 'failed to resolve "1.2.3.4.5": lookup 1.2.3.4.5: no such host',
      });
      await assert.rejects(upstreamsOf('forward . /etc/nosuch.conf'), {
        message: 'failed to resolve "/etc/nosuch.conf": lookup /etc/nosuch.conf: no such host',
      });
      await assert.rejects(upstreamsOf('forward . no.example {\nresolver 127.0.0.1:x\n}'), {
        message:
          'failed to resolve "no.example": no addresses found for "no.example": dial udp: lookup udp/x: unknown port',
      });
    },
  ));

test('a resolver that refuses or is silent: why, in the words of the sockets', () =>
  withUpstream(
    () => undefined,
    async (silent) => {
      await assert.rejects(
        upstreamsOf(`forward . no.example {\nresolver ${silent.text}\n}`),
        /no addresses found for "no.example": read udp 127\.0\.0\.1:\d+->127\.0\.0\.1:\d+: i\/o timeout$/,
      );
    },
  ).then(async () => {
    let closed = '';
    await withUpstream(goodAnswer, async ({ text }) => {
      closed = text;
    });
    await assert.rejects(
      upstreamsOf(`forward . no.example {\nresolver ${closed}\n}`),
      /no addresses found for "no.example": read udp \S+->\S+: read: connection refused$/,
    );
  }));

test('the system looks up localhost', async () => {
  const found = await upstreamsOf('forward . localhost:5300');
  assert.ok(found.length > 0);
  for (const text of found) assert.match(text, /^(127\.0\.0\.1|\[::1\]):5300$/);
});

test('a nameserver of a resolv.conf that is no address: an upstream of that name, known or not', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-resolv-'));
  try {
    const path = join(directory, 'resolv.conf');
    writeFileSync(path, 'nameserver 10.0.0.1\nnameserver localhost\nnameserver no_such-name.invalid\n');
    const [address, known, unknown] = await targetsOf(`forward . ${path}`);
    assert.equal(address!.text, '10.0.0.1:53');
    assert.equal(known!.text, 'localhost:53');
    assert.match(known!.address, /^(?:127\.0\.0\.1|::1)$/);
    assert.equal(known!.port, 53);
    assert.equal(unknown!.text, 'no_such-name.invalid:53');
    assert.equal(dialProblem(unknown!, 'udp'), 'dial udp: lookup no_such-name.invalid: no such host');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
