// The TO words of a stanza: addresses, files like resolv.conf whose nameservers are taken, and host names.

import { readFileSync } from 'node:fs';
import type { DirectiveReader, Token } from '../../corefile/reader.ts';
import { addressOctets } from '../../dns/address.ts';
import { composeName, NameError } from '../../dns/name.ts';

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
  /** The address is not known, for nobody knows the name: every attempt fails. */
  readonly isUnknown?: boolean;
  /** Local address of the sockets (`source_address`). */
  readonly source?: string;
};

/** A host name, whose addresses are looked up when the configuration is taken. */
export type HostTarget = {
  readonly host: string;
  readonly portText: string;
  /** It stands for one upstream of its own name, which is there even if nobody knows the name. */
  readonly isNameserver?: boolean;
};

export type Target = UpstreamTarget | HostTarget;

/** CoreDNS counts the words, not the nameservers that a file brings. */
const WORDS_MAX = 15;
/** One octet holds an upstream's index. */
const UPSTREAMS_MAX = 255;
const DEFAULT_PORT = '53';
const FILE_BYTES_MAX = 1 << 20;
/** Words before `://` that CoreDNS knows, with their ports; any other is part of a (strange) name. */
const TRANSPORT_PORTS: ReadonlyMap<string, string> = new Map([
  ['dns', DEFAULT_PORT],
  ['tls', '853'],
  ['https', '443'],
  ['quic', '853'],
  ['grpc', '443'],
  ['https3', ''],
  ['unix', ''],
]);
/** Those that CoreDNS's forward takes, and this server not yet. */
const MISSING_TRANSPORTS: readonly string[] = ['tls', 'https'];
/** What CoreDNS makes of an address with `https3://` and without a port. */
const NOWHERE: UpstreamTarget = { text: '', address: '', port: -1, portText: '' };

/**
 * Targets in the order of the words, upstreams without repetition.
 * @param mayBeEmpty accepts files that name no nameserver even if no upstream is left: every query is SERVFAIL then.
 */
export function parseTargets(reader: DirectiveReader, words: readonly Token[], mayBeEmpty: boolean): Target[] {
  for (const word of words) refusePath(reader, word);
  const targets: Target[] = [];
  const emptyFiles: string[] = [];
  const refusals: Error[] = [];
  let wordCount = 0;
  for (const word of words) {
    const found = targetsOf(reader, word);
    if (found instanceof Error) refusals.push(found);
    else if (found.length === 0) emptyFiles.push(word.text);
    else {
      wordCount++;
      targets.push(...found);
    }
  }
  // Transports are looked at when all words have been understood
  if (refusals[0] !== undefined) throw refusals[0];
  const last = words.at(-1)!;
  if (wordCount > WORDS_MAX) throw reader.error(last, `more than ${WORDS_MAX} TOs configured: ${wordCount}`);
  const unique = withoutRepetition(targets);
  if (unique.length > UPSTREAMS_MAX) {
    throw reader.error(last, `more than ${UPSTREAMS_MAX} upstreams configured: ${unique.length}`);
  }
  if (unique.length === 0 && !mayBeEmpty) {
    throw reader.error(last, `no valid upstream addresses found: no nameservers found in ${emptyFiles.join(', ')}`);
  }
  return unique;
}

/** The targets, each upstream where it stands first. */
export function withoutRepetition<T extends Target>(targets: readonly T[]): T[] {
  const seen = new Set<string>();
  return targets.filter((target) => {
    if (!('text' in target)) return true;
    if (seen.has(target.text)) return false;
    seen.add(target.text);
    return true;
  });
}

/** The upstream at an address that a look-up has brought. */
export function resolvedTarget(address: string, portText: string): UpstreamTarget {
  const target = targetAt(address, portText);
  if (target === undefined) throw new RangeError(`not an IP address: ${address}`);
  return target;
}

/** The upstream of a nameserver that is no address: at the address that its name has, if it has one. */
export function nameserverTarget({ host, portText }: HostTarget, address: string | undefined): UpstreamTarget {
  const text = host.includes(':') ? `[${host}]:${portText}` : `${host}:${portText}`;
  if (address !== undefined) return { ...resolvedTarget(address, portText), text };
  return { text, address: host, port: -1, portText, isUnknown: true };
}

/** `IP[:PORT]` of property `resolver`; undefined for any other text. */
export function resolverTarget(text: string): UpstreamTarget | undefined {
  const withPort = splitPort(text);
  if (withPort !== undefined) return targetAt(withPort.host, withPort.portText);
  return text.includes('%') || text.includes('[') ? undefined : targetAt(text, DEFAULT_PORT);
}

/** Why the upstream cannot be dialled at all, in Go's words; undefined when it can. */
export function dialProblem(target: UpstreamTarget, protocol: 'udp' | 'tcp'): string | undefined {
  const { text, portText, port, source, address } = target;
  if (text === '') return `dial ${protocol}: missing address`;
  if (target.isUnknown === true) return `dial ${protocol}: lookup ${address}: no such host`;
  if (port < 0) {
    const reason = /^\d+$/.test(portText)
      ? `address ${portText}: invalid port`
      : `lookup ${protocol}/${portText}: unknown port`;
    return `dial ${protocol}: ${reason}`;
  }
  const isSuitable = source === undefined || source.includes(':') === address.includes(':');
  return isSuitable ? undefined : `dial ${protocol}: address ${sourceText(source)}: no suitable address found`;
}

/** The addresses in the text of a failed dial: `192.0.2.1:53`, with `source_address` `10.0.0.1:0->192.0.2.1:53`. */
export function dialledPath({ text, source }: UpstreamTarget): string {
  return source === undefined ? text : `${sourceText(source)}->${text}`;
}

function sourceText(source: string): string {
  return source.includes(':') ? `[${source}]:0` : `${source}:0`;
}

function refusePath(reader: DirectiveReader, word: Token): void {
  if (!/^https:\/\/.*\//s.test(word.text)) return;
  const text = 'paths are not allowed in HTTPS upstream addresses (the /dns-query path is used by default)';
  throw reader.error(word, `${text}: ${word.text}`);
}

/** An Error: the word means an upstream that cannot be had, which is told when all words have been understood. */
function targetsOf(reader: DirectiveReader, word: Token): Target[] | Error {
  const { transport, text } = transportOf(word.text);
  if (text === '') throw reader.error(word, `invalid address: ${JSON.stringify(word.text)}`);
  if (transport === 'unix') return refusal(reader, word, transport, withoutZone(text));
  const target = targetOf(text, TRANSPORT_PORTS.get(transport));
  if (target !== undefined) {
    if (transport === 'dns') return [target];
    if (transport === 'https3' && target.portText === '' && splitPort(text) === undefined) return [NOWHERE];
    return refusal(reader, word, transport, target.text);
  }
  const file = splitPort(text) === undefined ? unbracketed(text) : text;
  const lines = readLines(reader, word, file);
  if (lines !== undefined) return nameserversOf(lines).map(nameserver);
  const host = transport === 'dns' || MISSING_TRANSPORTS.includes(transport) ? hostOf(text) : undefined;
  if (host === undefined) {
    throw reader.error(word, `not an IP address, file, or valid domain: ${JSON.stringify(word.text)}`);
  }
  return transport === 'dns' ? [host] : refusal(reader, word, transport, host.host);
}

function transportOf(text: string): { readonly transport: string; readonly text: string } {
  const [head, transport] = /^([a-z0-9]+):\/\//.exec(text) ?? [];
  if (transport === undefined || !TRANSPORT_PORTS.has(transport)) return { transport: 'dns', text };
  return { transport, text: text.slice(head!.length) };
}

function refusal(reader: DirectiveReader, word: Token, transport: string, address: string): Error {
  if (MISSING_TRANSPORTS.includes(transport)) {
    return reader.error(word, `transport ${transport}:// is not supported yet: '${word.text}'`);
  }
  const text = `'${transport}' is not supported as a destination protocol in forward`;
  return reader.error(word, `${text}: ${transport}://${address}`);
}

/** Without `%zone`, as CoreDNS's messages have it: what stands behind the zone's last colon is the port. */
function withoutZone(text: string): string {
  const percent = text.lastIndexOf('%');
  if (percent < 0) return text;
  const zone = text.slice(percent + 1);
  const colon = zone.lastIndexOf(':');
  const host = text.slice(0, percent) + (text.startsWith('[') ? ']' : '');
  return colon < 0 ? host : host + zone.slice(colon);
}

/** `HOST:PORT`, `[HOST]:PORT` as Go splits them; undefined when there is no port. */
function splitPort(text: string): { host: string; portText: string } | undefined {
  const parts = /^\[([^\][]*)\]:([^:\][]*)$/.exec(text) ?? /^([^:\][]*):([^:\][]*)$/.exec(text);
  return parts === null ? undefined : { host: parts[1]!, portText: parts[2]! };
}

/** `IP`, `IP:PORT`, `[IPv6]`, `[IPv6]:PORT`, each with a `%zone`; undefined for any other text. */
function targetOf(text: string, defaultPort = DEFAULT_PORT): UpstreamTarget | undefined {
  const parts = splitPort(text);
  return parts === undefined ? targetAt(unbracketed(text), defaultPort) : targetAt(parts.host, parts.portText);
}

/** `NAME` or `NAME:PORT`, with a `%zone` that does not matter; undefined for what cannot be a domain name. */
function hostOf(text: string): HostTarget | undefined {
  const bare = text.replace(/%[^:]*/, '');
  const parts = splitPort(bare);
  const host = unbracketed(parts?.host ?? bare);
  if (host === '') return undefined;
  try {
    composeName(host);
  } catch (error) {
    if (error instanceof NameError) return undefined;
    throw error;
  }
  return { host, portText: parts?.portText ?? DEFAULT_PORT };
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

function nameserver(text: string): Target {
  return targetAt(text, DEFAULT_PORT) ?? { host: text, portText: DEFAULT_PORT, isNameserver: true };
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

/**
 * Lines of the file, its path relative to the working directory; undefined when it cannot be read. A directory is a file
 * without nameservers.
 */
function readLines(reader: DirectiveReader, word: Token, file: string): string[] | undefined {
  let octets: Buffer;
  try {
    octets = readFileSync(file);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EISDIR' ? [] : undefined;
  }
  if (octets.length > FILE_BYTES_MAX) throw reader.error(word, `${file} exceeds ${FILE_BYTES_MAX} octets`);
  return octets.toString('utf8').split('\n');
}
