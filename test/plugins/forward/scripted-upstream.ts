// A name server on loopback, UDP and TCP on one port, that does what the test's script says.

import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { CLASS_IN, FLAG_QR, FLAG_RA, FLAG_RD, FLAG_TC, TYPE_A, TYPE_NS } from '../../../engine-as/shared/codes.ts';
import { composeMessage, type Message, parseMessage } from '../../../host/dns/message.ts';

export interface Seen {
  readonly proto: 'udp' | 'tcp';
  readonly octets: Uint8Array;
  readonly message: Message;
  readonly name: string;
  /** Client port of the socket or connection that brought it. */
  readonly port: number;
}

/** What to send: messages, nothing, or (TCP) the end of the connection, before it half a message or with a reset. */
export type Reply = Uint8Array | readonly Uint8Array[] | undefined | Ending;
type Ending = 'close' | 'half' | 'reset';
export type Script = (query: Seen) => Reply | Promise<Reply>;

export class ScriptedUpstream {
  readonly seen: Seen[] = [];
  /** Answers to `. IN NS`; the script sees everything else. */
  probes = 0;
  answersProbes: boolean = true;
  lastProbe: Message | undefined;
  lastProbeBytes = 0;
  lastProbeProto = '';
  script: Script;
  connections = 0;
  readonly #udp: DatagramSocket;
  readonly #tcp: Server;
  readonly #streams = new Set<Socket>();

  constructor(script: Script, udp: DatagramSocket, tcp: Server) {
    this.script = script;
    this.#udp = udp;
    this.#tcp = tcp;
    udp.on('message', (octets, { address, port }) => {
      void this.#answer('udp', octets, port).then((replies) => {
        if (typeof replies === 'string') return;
        for (const reply of replies) udp.send(reply, port, address);
      });
    });
    tcp.on('connection', (stream) => this.#serve(stream));
  }

  static async start(script: Script = goodAnswer): Promise<ScriptedUpstream> {
    for (;;) {
      const udp = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
      udp.bind(0, '127.0.0.1');
      await once(udp, 'listening');
      const tcp = createServer();
      const isFree = new Promise<boolean>((resolve) => {
        tcp.once('listening', () => resolve(true));
        tcp.once('error', () => resolve(false));
      });
      tcp.listen(udp.address().port, '127.0.0.1');
      if (await isFree) return new ScriptedUpstream(script, udp, tcp);
      udp.close();
    }
  }

  get port(): number {
    return this.#udp.address().port;
  }

  /** `127.0.0.1:PORT` */
  get text(): string {
    return `127.0.0.1:${this.port}`;
  }

  names(): string[] {
    return this.seen.map(({ name }) => name);
  }

  /** Ends the streams that are open now. */
  hangUp(): void {
    for (const stream of this.#streams) stream.end();
  }

  async stop(): Promise<void> {
    for (const stream of this.#streams) stream.destroy();
    this.#udp.close();
    this.#tcp.close();
    await once(this.#tcp, 'close');
  }

  async #answer(proto: 'udp' | 'tcp', octets: Uint8Array, port: number): Promise<readonly Uint8Array[] | Ending> {
    const message = parseMessage(octets);
    const question = message.questions[0]!;
    const query = { proto, octets, message, name: question.name, port };
    if (question.type === TYPE_NS && question.name === '.') {
      this.probes++;
      this.lastProbe = message;
      this.lastProbeBytes = octets.length;
      this.lastProbeProto = proto;
      return this.answersProbes ? [goodAnswer(query)] : [];
    }
    this.seen.push(query);
    const reply = await this.script(query);
    if (reply === undefined || typeof reply === 'string') return reply ?? [];
    return reply instanceof Uint8Array ? [reply] : reply;
  }

  #serve(stream: Socket): void {
    this.connections++;
    this.#streams.add(stream);
    let rest = Buffer.alloc(0);
    stream.on('error', () => undefined);
    stream.on('close', () => this.#streams.delete(stream));
    stream.on('data', (chunk) => {
      rest = Buffer.concat([rest, chunk as Buffer]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
        const end = 2 + rest.readUInt16BE(0);
        const octets = Uint8Array.from(rest.subarray(2, end));
        rest = rest.subarray(end);
        void this.#answer('tcp', octets, stream.remotePort ?? 0).then((replies) => {
          if (replies === 'close') stream.end();
          else if (replies === 'half') stream.end(framed(octets).subarray(0, 9));
          else if (replies === 'reset') stream.resetAndDestroy();
          else for (const reply of replies) stream.write(framed(reply));
        });
      }
    });
  }
}

export interface ReplyFields {
  readonly flags?: number;
  readonly rcode?: number;
  /** Addresses of the answer section; one by default. */
  readonly addresses?: readonly (readonly number[])[];
  readonly name?: string;
  readonly type?: number;
  readonly id?: number;
}

export function goodAnswer({ message }: Pick<Seen, 'message'>, fields: ReplyFields = {}): Uint8Array {
  const question = message.questions[0]!;
  const { rcode = 0, addresses = [[192, 0, 2, 1]] } = fields;
  const flags = FLAG_QR | FLAG_RA | (message.flags & FLAG_RD) | (fields.flags ?? 0) | (rcode & 15);
  return composeMessage({
    ...message,
    id: fields.id ?? message.id,
    flags,
    questions: [{ ...question, type: fields.type ?? question.type }],
    answer: addresses.map((address) => ({
      name: question.name,
      type: TYPE_A,
      class: CLASS_IN,
      ttl: 60,
      rdata: Uint8Array.from(address),
    })),
    edns: message.edns && { ...message.edns, extendedRcode: rcode >> 4 },
  });
}

/** Well-formed, with TC, and without records. */
export function truncated(query: Pick<Seen, 'message'>): Uint8Array {
  return goodAnswer(query, { flags: FLAG_TC, addresses: [] });
}

/** `count` addresses: a reply of about 30 octets each. */
export function manyAddresses(count: number): number[][] {
  return Array.from({ length: count }, (_, i) => [198, 51, 100, i & 255]);
}

function framed(message: Uint8Array): Buffer {
  const octets = Buffer.alloc(2 + message.length);
  octets.writeUInt16BE(message.length);
  octets.set(message, 2);
  return octets;
}
