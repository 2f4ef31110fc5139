// A scripted upstream server for example.org on loopback, UDP and TCP. It answers RA=1 AA=0, compresses owner names,
// keeps to the client's UDP size and adds an OPT (size 1232, the query's DO) when it was asked with one.

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { createServer, type Server, type Socket as Stream } from 'node:net';
import { frame } from './dns-client.ts';
import { type Message, parseMessage } from './message.ts';
import { lowerCase, wireName } from './name.ts';
import { flagWords, optionName, RCODES, typeName } from './numbers.ts';
import { freePort } from './ports.ts';
import { composeOpt, type Edns } from './query.ts';
import { type Script, scriptOf, type ZoneRecord } from './upstream-zone.ts';

export interface Seen {
  /** Lower-case. */
  readonly name: string;
  /** `udp A rd ad 33`, with EDNS `... edns=1232 do NSID= COOKIE=3132`. */
  readonly text: string;
}

export class Upstream {
  readonly port: number;
  readonly seen: Seen[] = [];
  /** Hears everything and says nothing. */
  isMute = false;
  private readonly udp: Socket;
  private readonly tcp: Server;
  private readonly streams = new Set<Stream>();
  /** How often each name was asked for with each type. */
  private readonly counts = new Map<string, number>();

  private constructor(port: number, udp: Socket, tcp: Server) {
    this.port = port;
    this.udp = udp;
    this.tcp = tcp;
    udp.on('message', (octets, remote) => this.receiveUdp(octets, remote));
    udp.on('error', () => {});
    tcp.on('connection', (stream) => this.serveStream(stream));
  }

  /** @param at port of an upstream that has stopped and comes back */
  static async start(at?: number): Promise<Upstream> {
    const port = at ?? (await freePort());
    const udp = createSocket({ type: 'udp4', recvBufferSize: 1 << 22 });
    const tcp = createServer();
    await Promise.all([
      new Promise<void>((resolve) => udp.bind({ port, address: '127.0.0.1', exclusive: true }, resolve)),
      new Promise<void>((resolve) => tcp.listen({ port, host: '127.0.0.1', exclusive: true }, resolve)),
    ]);
    return new Upstream(port, udp, tcp);
  }

  async stop(): Promise<void> {
    for (const stream of this.streams) stream.destroy();
    await Promise.all([
      new Promise<void>((resolve) => this.udp.close(() => resolve())),
      new Promise<void>((resolve) => this.tcp.close(() => resolve())),
    ]);
  }

  /** Takes what was asked for these lower-case names out of the record. */
  takeSeen(names: ReadonlySet<string>): string[] {
    const taken = this.seen.filter((entry) => names.has(entry.name));
    const kept = this.seen.filter((entry) => !names.has(entry.name));
    this.seen.splice(0, this.seen.length, ...kept);
    return taken.map((entry) => entry.text);
  }

  private receiveUdp(octets: Uint8Array, remote: RemoteInfo): void {
    this.react(octets, 'udp', (reply) => this.udp.send(reply, remote.port, remote.address, () => {}));
  }

  private serveStream(stream: Stream): void {
    let rest: Buffer = Buffer.alloc(0);
    this.streams.add(stream);
    stream.on('close', () => this.streams.delete(stream));
    stream.on('error', () => {});
    stream.on('data', (octets: Buffer) => {
      rest = Buffer.concat([rest, octets]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        this.react(rest.subarray(2, end), 'tcp', (reply) => stream.write(frame(reply)));
        rest = rest.subarray(end);
      }
    });
  }

  private react(octets: Uint8Array, proto: 'udp' | 'tcp', send: (reply: Uint8Array) => void): void {
    let query: Message;
    try {
      query = parseMessage(octets);
    } catch {
      return;
    }
    const question = query.questions[0];
    if (question === undefined) return;
    const text = describe(query, proto);
    this.seen.push({ name: lowerCase(question.name), text });
    const key = `${lowerCase(question.name)} ${question.type} ${text.includes(' do')}`;
    const count = this.counts.get(key) ?? 0;
    this.counts.set(key, count + 1);
    if (this.isMute) return;
    const script = scriptOf(question.name, question.type, text, count);
    const reply = composeReply(query, script, proto);
    if (reply === undefined) return;
    if (script.delayMs === undefined) send(reply);
    else setTimeout(() => send(reply), script.delayMs);
  }
}

/** The words of `Seen.text`. */
function describe(query: Message, proto: string): string {
  const words = [proto, typeName(query.questions[0]!.type), ...flagWords(query.flags), String(query.octets.length)];
  if (query.opcode !== 0) words.push(`opcode=${query.opcode}`);
  const opt = query.opts[0];
  if (opt !== undefined) {
    words.push(`edns=${opt.size}`);
    if (opt.isDo) words.push('do');
    if (opt.z !== 0) words.push(`z=${opt.z.toString(16)}`);
    for (const option of opt.options) words.push(`${optionName(option.code)}=${option.hex}`);
  }
  return words.join(' ');
}

function composeReply(query: Message, script: Script, proto: 'udp' | 'tcp'): Uint8Array | undefined {
  if (script.fault === 'silence') return undefined;
  const id = script.fault === 'wrong id' ? query.id ^ 0x5555 : query.id;
  if (script.fault === 'garbage') {
    return Buffer.concat([Uint8Array.of(id >> 8, id & 0xff), Buffer.from('8180000100010000000003ff', 'hex')]);
  }
  if (script.fault === 'bare header') {
    return Buffer.concat([Uint8Array.of(id >> 8, id & 0xff), Buffer.from('81800001000000000000', 'hex')]);
  }
  const opt = script.omitsOpt ? undefined : query.opts[0];
  const sizeMax = proto === 'tcp' || script.ignoresSize ? 65535 : Math.max(512, opt?.size ?? 512);
  const asked = questionOctets(query).subarray(0, -4);
  const question =
    script.fault === 'wrong question'
      ? wireName('other.example.org.')
      : script.spellsLower
        ? asked.map((octet) => (octet >= 0x41 && octet <= 0x5a ? octet + 0x20 : octet))
        : asked;
  const reply = compose(query, script, {
    id,
    question,
    sizeMax,
    ...(opt === undefined ? {} : { edns: replyEdns(opt.isDo, script) }),
  });
  if (script.fault === 'cut') return reply.subarray(0, -5);
  // The first owner becomes a pointer to itself
  const owner = 12 + question.length + 4;
  if (script.fault === 'loop') reply.set([0xc0, owner], owner);
  return reply;
}

function replyEdns(isDo: boolean, script: Script): Edns {
  if (!script.hasOptions) return { size: 1232, isDo };
  const option = (code: number, hex: string) => ({ code, octets: Buffer.from(hex, 'hex') });
  return { size: 4096, isDo, options: [option(15, '0003'), option(3, '6e73'), option(10, '31323334353637383930')] };
}

interface Frame {
  readonly id: number;
  /** Wire form of the name in the question section. */
  readonly question: Uint8Array;
  readonly sizeMax: number;
  readonly edns?: Edns;
}

/** Records that do not fit are left out from the end on, with TC (RFC 2181 §9). */
function compose(query: Message, script: Script, form: Frame): Uint8Array {
  const question = Buffer.concat([form.question, questionOctets(query).subarray(-4)]);
  const opt = form.edns === undefined ? new Uint8Array(0) : composeOpt(form.edns);
  const sections = [script.answer ?? [], script.authority ?? [], script.additional ?? []];
  const counts = [0, 0, 0];
  const parts: Uint8Array[] = [question];
  let bytes = 12 + question.length + opt.length;
  let isTruncated = false;
  for (const [at, section] of sections.entries()) {
    for (const record of section) {
      const octets = recordOctets(record);
      if (isTruncated || bytes + octets.length > form.sizeMax) {
        isTruncated = true;
        continue;
      }
      bytes += octets.length;
      counts[at]!++;
      parts.push(octets);
    }
  }
  const head = Buffer.alloc(12);
  head.writeUInt16BE(form.id, 0);
  head.writeUInt16BE(headerWord(query, script, isTruncated), 2);
  head.writeUInt16BE(1, 4);
  for (const [at, count] of counts.entries()) head.writeUInt16BE(count, 6 + at * 2);
  if (opt.length > 0) head.writeUInt16BE(counts[2]! + 1, 10);
  return Buffer.concat([head, ...parts, opt]);
}

function headerWord(query: Message, script: Script, isTruncated: boolean): number {
  let word = 0x8000 | (query.opcode << 11) | (script.rcode ?? RCODES['NOERROR']!) | (query.flags & 0x0110);
  if (isTruncated) word |= 0x0200;
  if (script.isAuthoritative) word |= 0x0400;
  if (script.isRecursive !== false) word |= 0x0080;
  if (script.isAuthenticated) word |= 0x0020;
  return word;
}

/** The question section as received, the name in the client's spelling. */
function questionOctets(query: Message): Uint8Array {
  const bytes = wireName(query.questions[0]!.name).length + 4;
  return query.octets.subarray(12, 12 + bytes);
}

function recordOctets(record: ZoneRecord): Uint8Array {
  const owner = record.owner === '=' ? Uint8Array.of(0xc0, 12) : wireName(record.owner);
  const fixed = Buffer.alloc(10);
  fixed.writeUInt16BE(record.type, 0);
  fixed.writeUInt16BE(1, 2);
  fixed.writeUInt32BE(record.ttl, 4);
  fixed.writeUInt16BE(record.rdata.length, 8);
  return Buffer.concat([owner, fixed, record.rdata]);
}
