// One health probe: `. IN NS` by default, on a socket of its own, waiting a second. Nearly everything that comes back is
// an answer: CoreDNS takes no notice of what a reply says, nor of damage behind its header.

import { CLASS_IN, FLAG_QR, FLAG_RD, HEADER_BYTES, OPCODE_MASK, TYPE_NS } from '../../../engine-as/shared/codes.ts';
import { composeName } from '../../dns/name.ts';
import type { UpstreamListener, Upstreams } from '../../plugin/contract.ts';
import type { Schedule } from './health.ts';
import type { RandomIds } from './ids.ts';
import type { MessageSender, TcpSender, UdpSender } from './message-sender.ts';
import { REPLY_WHOLE, ReplyScan } from './reply.ts';
import { dialProblem, type UpstreamTarget } from './targets.ts';

const DIAL_TIMEOUT_MS = 2000;
const READ_TIMEOUT_MS = 1000;

export interface ProbeOptions {
  readonly upstreams: Upstreams;
  readonly schedule: Schedule;
  readonly ids: RandomIds;
  readonly target: UpstreamTarget;
  readonly stanza: { readonly forceTcp: boolean; readonly healthDomain: string; readonly healthRecursion: boolean };
  readonly octets: () => Uint8Array;
}

/** Sends the probe and reports once whether it was answered; the function it returns calls it off. */
export function sendProbe(options: ProbeOptions, report: (isAnswered: boolean) => void): () => void {
  const probe = new Probe(options, report);
  probe.send();
  return () => probe.cancel();
}

class Probe implements UpstreamListener {
  readonly #options: ProbeOptions;
  readonly #report: (isAnswered: boolean) => void;
  readonly #id: number;
  #socket: (MessageSender & { close(): void }) | undefined;
  #cancelTimer: (() => void) | undefined;
  #isOver: boolean = false;

  constructor(options: ProbeOptions, report: (isAnswered: boolean) => void) {
    this.#options = options;
    this.#report = report;
    this.#id = options.ids.next();
  }

  send(): void {
    const { upstreams, target, stanza } = this.#options;
    try {
      if (dialProblem(target, 'udp') !== undefined) {
        this.#end(false);
      } else if (stanza.forceTcp) {
        this.#socket = upstreams.connectTcp(target, DIAL_TIMEOUT_MS, this) as TcpSender;
      } else {
        this.#socket = upstreams.connectUdp(target, this) as UdpSender;
        this.onOpen();
      }
    } catch {
      // No route, no free port: a failed probe like any other
      this.#end(false);
    }
  }

  onOpen(): void {
    const { stanza, schedule } = this.#options;
    const flags = stanza.healthRecursion ? FLAG_RD : 0;
    if (this.#socket?.sendOctets(composeProbe(stanza.healthDomain), this.#id, flags) === false) this.#end(false);
    if (!this.#isOver) this.#cancelTimer = schedule(READ_TIMEOUT_MS, () => this.#end(false));
  }

  onMessage(offset: number, bytes: number): void {
    if (bytes < HEADER_BYTES) {
      this.#end(false);
      return;
    }
    const octets = this.#options.octets();
    const isWhole = new ReplyScan().scan(octets, offset, bytes) === REPLY_WHOLE;
    const isOurs = ((octets[offset]! << 8) | octets[offset + 1]!) === this.#id;
    if (isWhole && isOurs) {
      this.#end(true);
      return;
    }
    // The reply to an earlier probe, perhaps
    if (isWhole && !this.#options.stanza.forceTcp) return;
    const flags = (octets[offset + 2]! << 8) | octets[offset + 3]!;
    this.#end((flags & FLAG_QR) !== 0 || (flags & OPCODE_MASK) === 0);
  }

  onError(): void {
    this.#end(false);
  }

  onClose(): void {
    this.#end(false);
  }

  cancel(): void {
    this.#isOver = true;
    this.#cancelTimer?.();
    this.#socket?.close();
  }

  #end(isAnswered: boolean): void {
    if (this.#isOver) return;
    this.cancel();
    this.#report(isAnswered);
  }
}

/** @param domain fully qualified */
function composeProbe(domain: string): Uint8Array {
  const name = composeName(domain);
  const octets = new Uint8Array(HEADER_BYTES + name.length + 4);
  octets[5] = 1;
  octets.set(name, HEADER_BYTES);
  octets[HEADER_BYTES + name.length + 1] = TYPE_NS;
  octets[HEADER_BYTES + name.length + 3] = CLASS_IN;
  return octets;
}
