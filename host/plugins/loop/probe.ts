// The question that finds a loop: `HINFO RANDOM.RANDOM.ZONE`, sent to this server's own listener.

import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { CLASS_IN, FLAG_RD, HEADER_BYTES, TYPE_HINFO } from '../../../engine-as/shared/codes.ts';
import { composeMessage } from '../../dns/message.ts';
import { composeName } from '../../dns/name.ts';

/** As long as CoreDNS's DNS library waits for one reply. */
const REPLY_MS = 2000;

/** A name under the zone that nobody asks for by chance: two numbers of 62 bits. @param zone fully qualified */
export function probeName(zone: string): string {
  const number = () => (randomBytes(8).readBigUInt64BE() >> 2n).toString();
  return `${number()}.${number()}.${zone === '.' ? '' : zone}`;
}

/** Asks once; false: no reply, or the port is closed. Never rejects. */
export function askOnce(name: string, address: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const id = randomInt(65536);
    const wire = composeName(name);
    const question = { name, type: TYPE_HINFO, class: CLASS_IN, wire };
    const sections = { answer: [], authority: [], additional: [] };
    const message = composeMessage({ id, flags: FLAG_RD, questions: [question], ...sections });
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    let isOver: boolean = false;
    const end = (isAnswered: boolean) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.close();
      resolve(isAnswered);
    };
    const giveUp = () => end(false);
    const timer = setTimeout(giveUp, REPLY_MS);
    signal.addEventListener('abort', giveUp, { once: true });
    socket.on('error', giveUp);
    socket.on('message', (reply) => {
      if (reply.length >= HEADER_BYTES && reply.readUInt16BE(0) === id) end(true);
    });
    socket.on('connect', () => {
      if (!isOver) socket.send(message);
    });
    socket.connect(port, address);
  });
}
