// The file of `weighted`: its grammar, and its control half with real files.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { composeName } from '../../../host/dns/name.ts';
import type { ControlServices, RecordSet, RecordStore } from '../../../host/plugin/contract.ts';
import { createControl } from '../../../host/plugins/loadbalance/control.ts';
import { parseWeights } from '../../../host/plugins/loadbalance/weight-file.ts';
import { testServices } from '../support/services.ts';

const directory = mkdtempSync(join(tmpdir(), 'weights-'));
const weightsOf = (text: string) =>
  [...parseWeights(text, 'w')].map(([name, list]) => [name, ...list.map((weight) => weight.join('.'))]);
const MAPPED = '0.0.0.0.0.0.0.0.0.0.255.255.';

test('names, addresses and weights; comments; a name that comes again goes on', () => {
  const text =
    '# c\n\n a.org \n10.0.0.1 3\n  10.0.0.2\t255\r\nB.org.\n::1 1\n10.0.0.9 007\na.org.\n10.0.0.1 9\nempty\n';
  assert.deepEqual(weightsOf(text), [
    ['a.org.', `${MAPPED}10.0.0.1.3`, `${MAPPED}10.0.0.2.255`, `${MAPPED}10.0.0.1.9`],
    ['B.org.', '0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.1', `${MAPPED}10.0.0.9.7`],
    ['empty.'],
  ]);
});

test("what is wrong is told in CoreDNS's words", () => {
  const wrong: readonly (readonly [string, string])[] = [
    ['10.0.0.1', 'wrong domain name:"10.0.0.1" in weight file w. (Maybe a missing weight value?)'],
    ['a\n10.0.0.256 1', 'wrong IP address:"10.0.0.256" in weight file w'],
    ['a\n10.0.0.1 0', 'wrong weight value:"0" in weight file w'],
    ['a\n10.0.0.1 256', 'wrong weight value:"256" in weight file w'],
    ['a\n10.0.0.1 +1', 'wrong weight value:"+1" in weight file w'],
    ['10.0.0.1 1', 'missing domain name in weight file w'],
    ['a\n  10.0.0.1 1 # c ', 'could not parse weight line:"10.0.0.1 1 # c" in weight file w'],
    [`# ${'x'.repeat(65535)}`, 'weight file w parsing error:bufio.Scanner: token too long'],
  ];
  for (const [text, message] of wrong) assert.throws(() => weightsOf(text), { name: 'WeightFileError', message });
});

let files = 0;
function scene(reloadMs: number) {
  const owners = new Map<string, readonly RecordSet[]>();
  let isReleased = false;
  const store: Partial<RecordStore> = {
    address: 4096,
    put(key, sets) {
      assert.ok(!isReleased);
      owners.set(String(key), sets);
      return 1;
    },
    remove(key) {
      assert.ok(!isReleased && owners.delete(String(key)));
    },
    release() {
      isReleased = true;
    },
  };
  const test = testServices();
  const services = { ...test.services, createRecords: () => store } as ControlServices;
  const file = join(directory, `w-${files++}`);
  const weightOf = (name: string) => {
    const [set] = owners.get(String(composeName(name))) ?? [];
    return set?.type === 'TXT' ? set.rdata[0]?.at(-1) : undefined;
  };
  return { file, control: createControl({ file, reloadMs }, services), lines: test.lines, weightOf };
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await setTimeout(10);
  assert.ok(isTrue());
}

test('read at the start, and again when the content is another', async () => {
  const { file, control, lines, weightOf } = scene(10);
  writeFileSync(file, 'a\n10.0.0.1 3\nb\n10.0.0.1 4\nwe"ird\n10.0.0.1 5\n');
  await control.start!();
  assert.deepEqual([weightOf('a.'), weightOf('b.')], [3, 4]);
  await setTimeout(50);
  assert.deepEqual(lines, [`[INFO] plugin/loadbalance: Successfully reloaded weight file ${file}`]);
  writeFileSync(file, 'a\n10.0.0.1 7\n');
  await until(() => weightOf('a.') === 7);
  assert.equal(weightOf('b.'), undefined);
  await control.stop!();
});

test('a file that becomes wrong is told once and changes nothing; one that goes away is told again and again', async () => {
  const { file, control, lines, weightOf } = scene(10);
  writeFileSync(file, 'a\n10.0.0.1 3\n');
  await control.start!();
  writeFileSync(file, 'a\n10.0.0.1 x\n');
  const wrong = `[ERROR] plugin/loadbalance: wrong weight value:"x" in weight file ${file}`;
  await until(() => lines.includes(wrong));
  await setTimeout(50);
  assert.equal(lines.filter((line) => line === wrong).length, 1);
  assert.equal(weightOf('a.'), 3);
  rmSync(file);
  const missing = '[ERROR] plugin/loadbalance: weight file open error';
  await until(() => lines.filter((line) => line === missing).length > 2);
  assert.equal(weightOf('a.'), 3);
  await control.stop!();
});

test('a missing file is a warning while it is looked for, an error with reload 0; a wrong one is always an error', async () => {
  const looking = scene(60_000);
  await looking.control.start!();
  assert.deepEqual(looking.lines, [
    '[WARNING] plugin/loadbalance: Failed to open weight file:weight file open error. Will try again in 1m0s',
  ]);
  await looking.control.stop!();
  const once = scene(0);
  await assert.rejects(once.control.start!(), { name: 'UserError', message: 'weight file open error' });
  const wrong = scene(60_000);
  writeFileSync(wrong.file, '10.0.0.1 1');
  await assert.rejects(wrong.control.start!(), { message: `missing domain name in weight file ${wrong.file}` });
  const directoryScene = createControl({ file: directory, reloadMs: 60_000 }, {
    ...testServices().services,
    createRecords: () => ({ address: 0, release() {} }),
  } as unknown as ControlServices);
  await assert.rejects(directoryScene.start!(), { message: `read ${directory}: is a directory` });
});
