// One address of a shard: its UDP socket and its TCP listener, kept from one configuration to the next.

import type { ListenerPlan } from '../engine/messages.ts';
import { openUdp, type UdpOpening } from '../net/udp.ts';
import type { Generation, Listening } from './generation.ts';
import type { TcpListener, TcpStreams } from './tcp.ts';
import { UdpLoop, type UdpParts } from './udp.ts';

/** With port 0 the kernel chooses one for UDP that may be taken for TCP. */
const PORT_ATTEMPTS = 16;

export interface ListenerParts {
  readonly opening: UdpOpening;
  readonly udp: UdpParts;
  readonly streams: TcpStreams;
}

export class ShardListener {
  readonly listening: Listening;
  readonly udp: UdpLoop;
  readonly #tcp: TcpListener;
  #isReading: boolean;

  constructor(listening: Listening, udp: UdpLoop, tcp: TcpListener) {
    this.listening = listening;
    this.udp = udp;
    this.#tcp = tcp;
    this.#isReading = false;
  }

  /** UDP begins here; TCP is served from the opening on. */
  start(): void {
    this.#isReading = true;
    this.udp.start();
  }

  /** Takes no more queries; replies that are still to come can leave. */
  stopReading(): void {
    if (this.#isReading) this.udp.stopReading();
    this.#isReading = false;
    this.#tcp.close();
  }

  close(): void {
    this.#isReading = false;
    this.#tcp.close();
    this.udp.close();
  }
}

/** Opens both sockets; rejects with ListenError. */
export async function openListener(
  parts: ListenerParts,
  plan: ListenerPlan,
  generation: Generation,
): Promise<ShardListener> {
  if (plan.port !== 0) return openPort(parts, plan, generation);
  for (let attempt = 1; ; attempt++) {
    try {
      return await openAnyPort(parts, plan, generation);
    } catch (error) {
      if (attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

/** TCP first, as CoreDNS does: its error is the one that is seen when both ports are taken. */
async function openPort(parts: ListenerParts, plan: ListenerPlan, generation: Generation): Promise<ShardListener> {
  const listening = listeningOf(plan, plan.port, generation);
  const tcp = await parts.streams.listen(listening);
  try {
    const transport = await openUdp(parts.opening, plan);
    return new ShardListener(listening, new UdpLoop(parts.udp, listening, transport), tcp);
  } catch (error) {
    tcp.close();
    throw error;
  }
}

async function openAnyPort(parts: ListenerParts, plan: ListenerPlan, generation: Generation): Promise<ShardListener> {
  const transport = await openUdp(parts.opening, plan);
  const listening = listeningOf(plan, transport.port, generation);
  try {
    const tcp = await parts.streams.listen(listening);
    return new ShardListener(listening, new UdpLoop(parts.udp, listening, transport), tcp);
  } catch (error) {
    transport.close();
    throw error;
  }
}

function listeningOf(plan: ListenerPlan, port: number, generation: Generation): Listening {
  const { address, server, program, isDebugging, showsStack } = plan;
  return { address, port, server, program, isDebugging, showsStack, generation };
}
