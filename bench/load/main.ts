/** The load process: `node main.ts '<Order as JSON>'` prints one Outcome as JSON. Pin it with taskset. */
import { runClosed } from './closed.ts';
import type { Order, Outcome } from './order.ts';
import { runPaced } from './paced.ts';
import { type Question, readQuestions } from './questions.ts';
import { runTcp } from './tcp.ts';

const MODES: Readonly<Record<Order['mode'], (order: Order, questions: readonly Question[]) => Outcome>> = {
  closed: runClosed,
  paced: runPaced,
  tcp: runTcp,
  reconnect: runTcp,
};

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const run = MODES[order.mode];
if (run === undefined) throw new Error(`unknown mode "${String(order.mode)}"`);
process.stdout.write(`${JSON.stringify(run(order, readQuestions(order.file)))}\n`);
