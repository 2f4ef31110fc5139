// The resolvers that programs in pods use: how each is built, called, and what it prints.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { scratchDirectory } from '../support/child.ts';
import { repository } from '../support/tools.ts';

export interface Client {
  readonly title: string;
  readonly command: (name: string) => readonly string[];
  /** It asks for names as they are, without the search list: c-ares, and busybox where there is a dot. */
  readonly searches: (name: string) => boolean;
  /** Milliseconds that its process takes to start. */
  readonly startMs: number;
  /** It may be content with what a cut reply holds: musl before 1.2.4, busybox. */
  readonly isCut?: boolean;
}

/** Sorted addresses; undefined when the name has none. */
export interface Found {
  readonly addresses: readonly string[] | undefined;
  readonly elapsedMs: number;
}

const SOURCES = join(repository, 'test/e2e/resolvers');
const NODE_LOOKUP = `require('node:dns').lookup(process.argv[1], { all: true }, (error, found) => {
  if (error) { console.error(error.message); process.exit(1); }
  for (const { address } of found) console.log(address);
});`;
const NODE_RESOLVE = `const dns = require('node:dns').promises;
Promise.allSettled([dns.resolve4(process.argv[1]), dns.resolve6(process.argv[1])]).then((results) => {
  const found = results.flatMap(({ value = [] }) => value);
  if (found.length === 0) { console.error(results[0].reason.message); process.exit(1); }
  for (const address of found) console.log(address);
});`;
const PYTHON = `import socket, sys
try:
  for found in socket.getaddrinfo(sys.argv[1], None, type=socket.SOCK_STREAM): print(found[4][0])
except socket.gaierror as error: sys.exit(str(error))`;

const always = () => true;
const never = () => false;

/** Builds what has to be built. Throws when a compiler is missing: see install.sh. */
export function buildClients(): readonly Client[] {
  const directory = mkdtempSync(join(scratchDirectory(), 'resolvers-'));
  const into = (name: string) => join(directory, name);
  const run = (command: string, ...args: readonly string[]) =>
    execFileSync(command, args, { stdio: 'inherit', env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod' } });
  run('gcc', '-O2', '-o', into('gai-glibc'), join(SOURCES, 'gai.c'));
  run('musl-gcc', '-static', '-O2', '-o', into('gai-musl'), join(SOURCES, 'gai.c'));
  run('go', 'build', '-o', into('lookup-go'), join(SOURCES, 'lookup.go'));
  run('javac', '-d', directory, join(SOURCES, 'Lookup.java'));
  const node = (text: string) => (name: string) => [process.execPath, '-e', text, name];
  return [
    {
      title: 'glibc',
      command: (name) => [into('gai-glibc'), name],
      searches: always,
      startMs: 0,
    },
    {
      title: 'musl',
      command: (name) => [into('gai-musl'), name],
      searches: always,
      startMs: 0,
      isCut: true,
    },
    {
      title: 'busybox nslookup',
      command: (name) => ['busybox', 'nslookup', name],
      searches: (name) => !name.includes('.'),
      startMs: 0,
      isCut: true,
    },
    { title: 'Go', command: (name) => [into('lookup-go'), name], searches: always, startMs: 0 },
    { title: 'Node lookup', command: node(NODE_LOOKUP), searches: always, startMs: 200 },
    { title: 'Node resolve', command: node(NODE_RESOLVE), searches: never, startMs: 200 },
    {
      title: 'Python',
      command: (name) => ['python3', '-c', PYTHON, name],
      searches: always,
      startMs: 200,
    },
    {
      title: 'Java',
      command: (name) => ['java', '-cp', directory, '-Xshare:auto', 'Lookup', name],
      searches: always,
      startMs: 1000,
    },
  ];
}

/** Program that counts SRV records with glibc's res_search(). */
export function buildServiceClient(): string {
  const path = join(mkdtempSync(join(scratchDirectory(), 'resolvers-')), 'srv');
  execFileSync('gcc', ['-O2', '-o', path, join(SOURCES, 'srv.c'), '-lresolv'], { stdio: 'inherit' });
  return path;
}

export async function look(client: Client, name: string): Promise<Found> {
  const [command, ...args] = client.command(name);
  const startedMs = performance.now();
  const { code, text } = await output(command!, args);
  const elapsedMs = performance.now() - startedMs - client.startMs;
  const addresses = [
    ...new Set(client.title.startsWith('busybox') ? told(text) : text.split('\n').filter((line) => isIP(line))),
  ];
  // busybox ends with 1 if one name of the search list is none
  const isFound = code === 0 || client.title.startsWith('busybox');
  return { addresses: isFound && addresses.length > 0 ? addresses.map(canonical).sort() : undefined, elapsedMs };
}

/** `Address: 10.0.0.1` behind the name; the server's own address stands above it. */
function told(text: string): string[] {
  const behind = text.slice(text.indexOf('Name:'));
  return [...behind.matchAll(/^Address(?: [0-9]+)?:\s+(\S+)/gm)].map(([, address]) => address!);
}

/** Java writes IPv6 addresses in full. */
function canonical(address: string): string {
  return isIP(address) === 6 ? new URL(`http://[${address}]/`).hostname.slice(1, -1) : address;
}

export function output(
  command: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly text: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { timeout: 30_000 }, (error, stdout, stderr) => {
      if (error !== null && (error as NodeJS.ErrnoException).code === 'ENOENT') throw error;
      resolve({ code: error === null ? 0 : 1, text: `${stdout}${error === null ? '' : stderr}` });
    });
  });
}
