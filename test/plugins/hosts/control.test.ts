// The main-thread half with real files: what is published, when it is read again, what is shown.

import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { composeName } from '../../../host/dns/name.ts';
import type { ControlServices, RecordSet, RecordStore } from '../../../host/plugin/contract.ts';
import { createControl } from '../../../host/plugins/hosts/control.ts';
import type { HostsConfig } from '../../../host/plugins/hosts/parse.ts';
import { testServices } from '../support/services.ts';

const directory = mkdtempSync(join(tmpdir(), 'hosts-control-'));
let files = 0;

/** Puts and removals by key, so that a test sees what a change costs. */
class CountingStore implements RecordStore {
  readonly address = 4096;
  readonly owners = new Map<string, readonly RecordSet[]>();
  changes = 0;
  isReleased: boolean = false;

  put(key: Uint8Array, sets: readonly RecordSet[]): number {
    assert.ok(!this.isReleased, 'the store is not used any more');
    this.changes++;
    this.owners.set(String(key), sets);
    return 1;
  }
  putEndpoints = (): never => assert.fail('a hosts file has no endpoints');
  putReverse = this.putEndpoints;
  find = () => 0;
  remove(key: Uint8Array): void {
    assert.ok(!this.isReleased, 'the store is not used any more');
    this.changes++;
    assert.ok(this.owners.delete(String(key)));
  }
  setSynced(): void {}
  setSerial(): void {}
  usage = () => ({ owners: this.owners.size, bytes: 0 });
  release(): void {
    this.isReleased = true;
  }
  /** First address of the name. */
  address4(name: string): string | undefined {
    const [set] = this.owners.get(String(composeName(name))) ?? [];
    return set?.type === 'A' ? new Uint8Array(Buffer.from(set.addresses[0]!)).join('.') : undefined;
  }
}

function scene(more: Partial<HostsConfig> = {}) {
  const store = new CountingStore();
  const test = testServices();
  const services = { ...test.services, createRecords: () => store } as ControlServices;
  const config: HostsConfig = {
    file: join(directory, `hosts-${files++}`),
    warnings: [],
    zones: ['.'],
    inline: [],
    ttlSeconds: 3600,
    hasReverse: true,
    reloadMs: 10,
    fallthrough: [],
    fallthroughUnsupported: false,
    ...more,
  };
  const metric = async (name: string) =>
    (await test.metrics.expose()).split('\n').filter((line) => line.startsWith(name) && !line.startsWith('#'));
  return { store, config, control: createControl(config, services), lines: test.lines, metric, services };
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !isTrue(); i++) await setTimeout(10);
  assert.ok(isTrue());
}

test('the file and the inline lines are there when the server starts; warnings are told', async () => {
  const { store, config, control, lines, metric } = scene({ inline: ['10.0.0.2 inline'], warnings: ['careful'] });
  writeFileSync(config.file, '10.0.0.1 file\n');
  assert.deepEqual(await metric('coredns_hosts_reload_timestamp_seconds'), [
    'coredns_hosts_reload_timestamp_seconds 0',
  ]);
  await control.start!();
  assert.equal(store.address4('file.'), '10.0.0.1');
  assert.equal(store.address4('inline.'), '10.0.0.2');
  assert.deepEqual(lines, ['[WARNING] plugin/hosts: careful']);
  assert.deepEqual(await metric('coredns_hosts_entries'), [`coredns_hosts_entries{hostsfile="${config.file}"} 4`]);
  const [time = ''] = await metric('coredns_hosts_reload_timestamp_seconds');
  assert.equal(Number(time.split(' ')[1]), Number(statSync(config.file, { bigint: true }).mtimeNs) / 1e9);
  await control.stop!();
  assert.ok(store.isReleased);
});

test('a missing file: inline lines only, no entries metric, and the file is taken up when it appears', async () => {
  const { store, config, control, metric } = scene({ inline: ['10.0.0.2 inline'] });
  await control.start!();
  assert.equal(store.address4('inline.'), '10.0.0.2');
  assert.deepEqual(await metric('coredns_hosts_entries'), []);
  writeFileSync(config.file, '10.0.0.1 file\n');
  await until(() => store.address4('file.') === '10.0.0.1');
  await control.stop!();
});

test('a change costs what changed; a file that goes away changes nothing', async () => {
  const many = Array.from({ length: 500 }, (_, i) => `10.1.${i >> 8}.${i & 255} name-${i}`);
  const { store, config, control, metric } = scene();
  writeFileSync(config.file, many.join('\n'));
  await control.start!();
  assert.equal(store.changes, 1000);
  many[7] = '10.9.9.9 name-7';
  many.pop();
  writeFileSync(config.file, `${many.join('\n')}\n10.0.0.3 new`);
  await until(() => store.address4('new.') === '10.0.0.3');
  // name-7 with its two addresses, name-499 gone and its address, new and its address
  await until(() => store.changes === 1000 + 3 + 2 + 2);
  assert.equal(store.address4('name-7.'), '10.9.9.9');
  assert.equal(store.address4('name-499.'), undefined);
  rmSync(config.file);
  await setTimeout(60);
  assert.equal(store.address4('name-7.'), '10.9.9.9');
  assert.deepEqual(await metric('coredns_hosts_entries'), [`coredns_hosts_entries{hostsfile="${config.file}"} 1000`]);
  await control.stop!();
});

test('equal size and time of change: not read again', async () => {
  const { store, config, control } = scene();
  writeFileSync(config.file, '10.0.0.1 a\n');
  const before = new Date(1_700_000_000_000);
  utimesSync(config.file, before, before);
  await control.start!();
  const other = `${config.file}.other`;
  writeFileSync(other, '10.0.0.2 a\n');
  utimesSync(other, before, before);
  renameSync(other, config.file);
  await setTimeout(80);
  assert.equal(store.address4('a.'), '10.0.0.1');
  await control.stop!();
});

test('reload 0: read once', async () => {
  const { store, config, control } = scene({ reloadMs: 0 });
  writeFileSync(config.file, '10.0.0.1 a\n');
  await control.start!();
  writeFileSync(config.file, '10.0.0.22 a\n');
  await setTimeout(80);
  assert.equal(store.address4('a.'), '10.0.0.1');
  await control.stop!();
});

test('a directory is a file without lines', async () => {
  const { store, control, metric } = scene({ file: directory, inline: ['10.0.0.2 inline'] });
  await control.start!();
  assert.equal(store.owners.size, 2);
  assert.deepEqual(await metric('coredns_hosts_entries'), [`coredns_hosts_entries{hostsfile="${directory}"} 2`]);
  await control.stop!();
});

test('stopped in the middle of a large change: the store is left alone', async () => {
  const { store, config, control } = scene();
  writeFileSync(
    config.file,
    Array.from({ length: 30_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255} n${i}`).join('\n'),
  );
  const started = control.start!();
  await until(() => store.changes > 0);
  await control.stop!();
  await started;
  assert.ok(store.changes < 60_000);
});

test('the metrics belong to the process: another configuration goes on with them', async () => {
  const first = scene();
  writeFileSync(first.config.file, '10.0.0.1 a b\n');
  await first.control.start!();
  const second = createControl(
    { ...first.config, hasReverse: false },
    {
      ...first.services,
      createRecords: () => new CountingStore(),
    },
  );
  await second.start!();
  await first.control.stop!();
  assert.deepEqual(await first.metric('coredns_hosts_entries'), [
    `coredns_hosts_entries{hostsfile="${first.config.file}"} 2`,
  ]);
  await second.stop!();
  assert.deepEqual(await first.metric('coredns_hosts_entries'), [
    `coredns_hosts_entries{hostsfile="${first.config.file}"} 2`,
  ]);
});
