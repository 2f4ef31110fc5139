/** Asks one question until the server gives the right answer: how the bench knows that a server is up. */
import { createSocket } from 'node:dgram';
import { parseQuestions } from './load/questions.ts';

const TIMEOUT_MS = 500;

/** `line` as in a query file; true when 127.0.0.1:port answers with its rcode and count of answers. */
export function answers(port: number, line: string): Promise<boolean> {
  const question = parseQuestions(line, 'probe')[0]!;
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const finish = (isRight: boolean): void => {
      clearTimeout(timer);
      socket.close();
      resolve(isRight);
    };
    const timer = setTimeout(() => finish(false), TIMEOUT_MS);
    socket.once('error', () => finish(false));
    socket.once('message', (reply) => {
      const isRight = (reply[3]! & 15) === question.rcode && reply.readUInt16BE(6) === question.answers;
      finish(isRight);
    });
    socket.connect(port, '127.0.0.1', () => {
      socket.send(question.message, () => {
        // A refused datagram comes back as the socket's error event.
      });
    });
  });
}
