// Prints a case file with every expectation replaced by what the real CoreDNS answers: a start for a new case, to be
// read against the documents before it is kept.
//
//   node test/e2e/record.ts FILE.md          `upstream ?` becomes what the upstream saw

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { formatExpectation } from '../cases/format.ts';
import { readObjects } from '../cases/objects.ts';
import { parseAsk } from '../cases/step.ts';
import { sleep } from './support/child.ts';
import { ControlPlane } from './support/control-plane.ts';
import { TcpClient, UdpClient } from './support/dns-client.ts';
import { lowerCase } from './support/name.ts';
import { corefileTemplate, startServer } from './support/server.ts';
import { Upstream } from './support/upstream.ts';

const path = process.argv[2];
if (path === undefined) throw new Error('usage: record.ts FILE.md');
const lines = readFileSync(path, 'utf8').split('\n');
const value = (key: string) => lines.find((line) => line.startsWith(`- ${key}: `))?.slice(key.length + 4);
const defines = lines.flatMap((line) => {
  const [, word, text] = /^- define ([A-Z0-9]+) = (.+)$/.exec(line) ?? [];
  return word === undefined ? [] : [[word, text!] as const];
});
const expand = (text: string): string => {
  const once = text.replace(
    /\$([A-Z][A-Z0-9]*)/g,
    (whole, word) => defines.find(([name]) => name === word)?.[1] ?? whole,
  );
  return once === text ? text : expand(once);
};
const longestFirst = defines
  .map(([word, text]) => [word, expand(text)] as const)
  .sort((a, b) => b[1].length - a[1].length);
const shorten = (text: string) =>
  longestFirst.reduce((short, [word, full]) => short.replaceAll(full, `$${word}`), text);

const upstream = await Upstream.start();
const objects = value('objects');
const plane = objects === undefined ? undefined : await ControlPlane.start();
await plane?.createObjects(readObjects(objects!));
const kubeconfig = plane?.writeKubeconfig();
const server = await startServer('coredns', corefileTemplate(value('corefile')!), {
  upstreamPort: upstream.port,
  ...(kubeconfig === undefined ? {} : { kubeconfig }),
});

const names = new Set<string>();
const out: string[] = [];
let asks: string[] = [];
let isInside = false;
for (const [at, line] of lines.entries()) {
  const word = line.trim().split(' ')[0]!;
  if (line.startsWith('```')) isInside = !isInside;
  if (line.startsWith('## ')) names.clear();
  if (isInside && word === '>') asks.push(line);
  if (asks.length > 0 && !/^\s*>/.test(lines[at + 1] ?? '')) {
    out.push(...(await record(asks, at)));
    asks = [];
  } else if (isInside && word === 'upstream') {
    if (lines[at - 1]!.startsWith('upstream')) continue;
    const seen = upstream.takeSeen(names).map((text) => `upstream ${text.replace(/^udp /, '')}`);
    out.push(...(seen.length === 0 ? ['upstream nothing'] : seen));
  } else if (isInside && word === 'wait') {
    await sleep(Number.parseFloat(line.split(' ')[1]!) * 1000);
    out.push(line);
  } else if (!isInside || word === '```' || word === '') out.push(line);
}
process.stdout.write(out.join('\n'));
await server.stop();
await upstream.stop();
await plane?.stop();

async function record(group: readonly string[], at: number): Promise<string[]> {
  const results: string[][] = [];
  for (const line of group) {
    const fail = (_: string, what: string): never => {
      throw new Error(`${basename(path!)}:${at + 1}: ${what}`);
    };
    const ask = parseAsk({ place: '', text: expand(line.trim().slice(2)) }, fail);
    if (ask.isStream) return [...group, '< to be written by hand'];
    for (const name of ask.names) names.add(lowerCase(name));
    const client =
      ask.transport === 'tcp'
        ? new TcpClient(server.port)
        : new UdpClient(server.port, ask.transport === 'udp6' ? '::1' : '127.0.0.1');
    const reply = await client.exchange(ask.octets, 7000);
    client.close();
    results.push(formatExpectation(reply, shorten));
  }
  const [first = []] = results;
  if (group.length === 1) return [...group, ...first];
  const anySize = (result: readonly string[]) =>
    result.map((line) => line.replace(/^(<.* [0-9]+(?:\/[0-9]+){3}) [0-9]+$/, '$1'));
  const isOne = results.every((result) => anySize(result).join() === anySize(first).join());
  if (isOne) return [...group, ...anySize(first)];
  return group.flatMap((line, n) => [line, ...results[n]!]);
}
