// The TO words of a stanza: addresses, and files like resolv.conf whose nameservers are taken.

import { readFileSync } from 'node:fs';
import type { DirectiveReader, Token } from '../../corefile/reader.ts';
import { addressOctets } from '../../dns/address.ts';

/** Plain data: it crosses to every shard. */
export type UpstreamTarget = {
  /** `192.0.2.1:53`, `[2001:db8::1]:53`: the metrics' label `to`, and the name in error texts. */
  readonly text: string;
  /** IPv4 or IPv6; link-local IPv6 keeps its zone (`fe80::1%eth0`). */
  readonly address: string;
  /** Negative: the Corefile's port is none, and every attempt fails (as in CoreDNS). */
  readonly port: number;
  /** As written. */
  readonly portText: string;
};

/** CoreDNS counts the words, not the nameservers that a file brings. */
const WORDS_MAX = 15;
/** One octet holds an upstream's index. */
const UPSTREAMS_MAX = 255;
const DEFAULT_PORT = '53';
const FILE_BYTES_MAX = 1 << 20;
const MISSING_TRANSPORTS: readonly string[] = ['tls', 'https'];
const REFUSED_TRANSPORTS: readonly string[] = ['quic', 'grpc', 'https3', 'unix'];

/**
 * Upstreams in the order of the words, without repetition.
 * @param mayBeEmpty accepts files that name no nameserver even if no upstream is left: every query is SERVFAIL then.
 */
export function parseTargets(reader: DirectiveReader, words: readonly Token[], mayBeEmpty: boolean): UpstreamTarget[] {
  const found = new Map<string, UpstreamTarget>();
  const emptyFiles: string[] = [];
  let wordCount = 0;
  for (const word of words) {
    const targets = targetsOf(reader, word);
    if (targets.length === 0) emptyFiles.push(word.text);
    else wordCount++;
    for (const target of targets) if (!found.has(target.text)) found.set(target.text, target);
  }
  const last = words.at(-1)!;
  if (wordCount > WORDS_MAX) throw reader.error(last, `more than ${WORDS_MAX} TOs configured: ${wordCount}`);
  if (found.size > UPSTREAMS_MAX) {
    throw reader.error(last, `more than ${UPSTREAMS_MAX} upstreams configured: ${found.size}`);
  }
  if (found.size === 0 && !mayBeEmpty) {
    throw reader.error(last, `no valid upstream addresses found: no nameservers found in ${emptyFiles.join(', ')}`);
  }
  return [...found.values()];
}

/** Why the port cannot be dialled, in Go's words; undefined when it can. */
export function dialProblem(target: UpstreamTarget, protocol: 'udp' | 'tcp'): string | undefined {
  if (target.port >= 0) return undefined;
  const { portText } = target;
  const reason = /^\d+$/.test(portText)
    ? `address ${portText}: invalid port`
    : `lookup ${protocol}/${portText}: unknown port`;
  return `dial ${protocol}: ${reason}`;
}

function targetsOf(reader: DirectiveReader, word: Token): UpstreamTarget[] {
  const scheme = /^([a-z0-9]+):\/\//.exec(word.text)?.[1];
  if (scheme !== undefined && MISSING_TRANSPORTS.includes(scheme)) {
    throw reader.error(word, `transport ${scheme}:// is not supported yet: '${word.text}'`);
  }
  if (scheme !== undefined && REFUSED_TRANSPORTS.includes(scheme)) {
    throw reader.error(word, `'${scheme}' is not supported as a destination protocol in forward: ${word.text}`);
  }
  const text = scheme === 'dns' ? word.text.slice('dns://'.length) : word.text;
  if (text === '') throw reader.error(word, `invalid address: ${JSON.stringify(word.text)}`);
  const target = targetOf(text);
  if (target !== undefined) return [target];
  const file = unbracketed(text);
  const lines = readLines(reader, word, file);
  if (lines !== undefined) return nameserversOf(lines).map((each) => nameserver(reader, word, file, each));
  if (isHostName(text)) throw reader.error(word, `a host name as upstream is not supported yet: '${word.text}'`);
  throw reader.error(word, `not an IP address, file, or valid domain: ${JSON.stringify(word.text)}`);
}

/** `IP`, `IP:PORT`, `[IPv6]`, `[IPv6]:PORT`, each with a `%zone`; undefined for any other text. */
function targetOf(text: string): UpstreamTarget | undefined {
  const withPort = /^\[([^\][]*)\]:([^:\][]*)$/.exec(text) ?? /^([^:\][]*):([^:\][]*)$/.exec(text);
  return withPort === null ? targetAt(unbracketed(text), DEFAULT_PORT) : targetAt(withPort[1]!, withPort[2]!);
}

function targetAt(address: string, portText: string): UpstreamTarget | undefined {
  const percent = address.lastIndexOf('%');
  const bare = percent < 0 ? address : address.slice(0, percent);
  const octets = addressOctets(bare);
  if (octets === undefined) return undefined;
  const isLinkLocal = octets.length === 16 && octets[0] === 0xfe && (octets[1]! & 0xc0) === 0x80;
  const isNumber = /^\d*$/.test(portText) && Number(portText) <= 65535;
  return {
    text: bare.includes(':') ? `[${bare}]:${portText}` : `${bare}:${portText}`,
    address: isLinkLocal ? address : bare,
    port: isNumber ? Number(portText) : -1,
    portText,
  };
}

function nameserver(reader: DirectiveReader, word: Token, file: string, text: string): UpstreamTarget {
  const target = targetAt(text, DEFAULT_PORT);
  if (target !== undefined) return target;
  throw reader.error(word, `nameserver in ${file} is not an IP address: ${JSON.stringify(text)}`);
}

function unbracketed(text: string): string {
  return text.replace(/^[[\]]+|[[\]]+$/g, '');
}

/** Words behind `nameserver` (resolv.conf(5)); other lines do not matter here. */
function nameserversOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [keyword, value] = line.trim().split(/\s+/);
    return keyword === 'nameserver' && value !== undefined ? [value] : [];
  });
}

/** Lines of the file, its path relative to the working directory; undefined when it does not exist. */
function readLines(reader: DirectiveReader, word: Token, file: string): string[] | undefined {
  try {
    const octets = readFileSync(file);
    if (octets.length > FILE_BYTES_MAX) throw reader.error(word, `${file} exceeds ${FILE_BYTES_MAX} octets`);
    return octets.toString('utf8').split('\n');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ENAMETOOLONG' || code === 'ERR_INVALID_ARG_VALUE') {
      return undefined;
    }
    if (code === undefined) throw error;
    throw reader.error(word, `cannot read ${file}: ${(error as Error).message}`);
  }
}

function isHostName(text: string): boolean {
  const name = text.replace(/:[^:]*$/, '');
  return (
    name.length <= 253 &&
    /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$/i.test(name)
  );
}
