// Which class of plugin log a reply belongs to, as CoreDNS's package response has it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UdpClient } from '../e2e/support/dns-client.ts';
import { freePort } from '../e2e/support/ports.ts';
import { start } from './process.ts';

/** A question for `a.test` in class IN and type A, with this id and opcode. */
function question(id: number, opcode: number): Buffer {
  const header = [id >> 8, id & 0xff, opcode << 3, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  return Buffer.from([...header, 1, 97, 4, 116, 101, 115, 116, 0, 0, 1, 0, 1]);
}

test('a NOTIFY is of class error, also when the cache answers it', async (t) => {
  const dns = await freePort();
  const corefile = `.:${dns} {
    log . "{>id} {>opcode} {rcode}" {
        class error
    }
    cache
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.1"
    }
}
`;
  const started = await start(t, ['-conf', 'Corefile'], { corefile }).serves();
  const client = new UdpClient(dns, '127.0.0.1');
  t.after(() => client.close());
  for (const [id, opcode] of [
    [1, 4],
    [2, 0],
    [3, 0],
    [4, 4],
  ] as const) {
    assert.notEqual(await client.exchange(question(id, opcode), 5000), undefined);
  }
  await started.says(/^\[INFO\] 4 4 NOERROR/m);
  assert.deepEqual(
    started.lines.filter((line) => line.startsWith('[INFO] ') && line.includes('NOERROR')),
    ['[INFO] 1 4 NOERROR', '[INFO] 4 4 NOERROR'],
  );
});
