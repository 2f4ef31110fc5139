// Plugin loop: finds out at start whether forwarded queries come back, and ends the process if they do. See README.md.
//
// Main thread: asks this server for a random name. Shards: count how often the name comes by, in one word for all of
// them, and tell the main thread when it was too often. The engine hands HINFO queries to the slow face only while the
// flag word is set, so a server that has passed the test pays nothing.

import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TYPE_HINFO } from '../../../engine-as/shared/codes.ts';
import type {
  Control,
  ControlServices,
  Directive,
  Next,
  Outcome,
  Plain,
  Plugin,
  Query,
  ServerBlock,
  ServerKey,
  ShardServices,
} from '../../plugin/contract.ts';
import { type LoopConfig, parseLoop } from './parse.ts';
import { askOnce, probeName } from './probe.ts';

/** How long the server is asked, how long to wait between two questions, and for late comers after a reply. */
const PROBING_MS = 30_000;
const RETRY_MS = 1000;
const LINGER_MS = 2000;
/** Seen more often, the name goes round: once is the question itself, twice may be a client's repetition. */
const SEEN_MAX = 2;

export const loop: Directive<LoopConfig, LoopControl> = {
  name: 'loop',
  parse: parseLoop,
  control: (_config, block, services) => new LoopControl(block, services),
  compile: (_config, program, control) => {
    if (control !== undefined) program.watchType(TYPE_HINFO, control.shared.flagWord);
  },
  create: (_config, _block, services, shared) => new Loop(services, shared as LoopShared),
};

/** What the shards must know. */
export type LoopShared = {
  /** Word that holds `token` while the probe is on. */
  readonly flagWord: number;
  /** Word that counts how often the name was seen. */
  readonly seenWord: number;
  /** Tells this configuration's probe from the one before a reload: they share the words. */
  readonly token: number;
  readonly name: string;
};

/** Tests make it faster. */
export interface LoopTimes {
  readonly probingMs: number;
  readonly retryMs: number;
  readonly lingerMs: number;
}

const TIMES: LoopTimes = { probingMs: PROBING_MS, retryMs: RETRY_MS, lingerMs: LINGER_MS };

export class LoopControl implements Control {
  readonly shared: LoopShared;
  readonly #zone: string;
  /** None if plugin bind has left the block no address: nothing comes round there. */
  readonly #listener: Listener | undefined;
  readonly #services: ControlServices;
  readonly #times: LoopTimes;
  readonly #stopping = new AbortController();
  #run: Promise<void> | undefined;
  #isFound: boolean = false;

  constructor(block: ServerBlock, services: ControlServices, times = TIMES) {
    const key = block.keys[0];
    this.#zone = key?.zone ?? '.';
    this.#listener = key && listenerOf(key);
    this.#services = services;
    this.#times = times;
    this.shared = {
      flagWord: services.claimWord(`loop ${block.index} flag`),
      seenWord: services.claimWord(`loop ${block.index} seen`),
      token: randomInt(1, 2 ** 31),
      name: probeName(this.#zone),
    };
  }

  /** Begins to ask: the shards answer. */
  serving(): void {
    const { flagWord, seenWord, token } = this.shared;
    // An ephemeral port is not known here, and CoreDNS does not find it either
    if (this.#listener === undefined || this.#listener.port === 0) return;
    Atomics.store(this.#services.words, seenWord, 0);
    Atomics.store(this.#services.words, flagWord, token);
    this.#run = this.#probe(this.#listener);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#run;
    this.#disable();
  }

  /** A shard has seen the name too often; the message is the address that sent it. */
  onNotice(message: Plain): void {
    if (this.#isFound || this.#stopping.signal.aborted) return;
    this.#isFound = true;
    const zone = JSON.stringify(this.#zone);
    const where = 'see https://coredns.io/plugins/loop#troubleshooting';
    this.#services.fatal(
      `plugin/loop: Loop (${String(message)} -> ${this.#listener?.text}) detected for zone ${zone}, ${where}. Query: "HINFO ${this.shared.name}"`,
    );
  }

  async #probe({ address, port }: Listener): Promise<void> {
    const { signal } = this.#stopping;
    const endMs = performance.now() + this.#times.probingMs;
    // Bounds: until the time is up; each round waits.
    while (performance.now() < endMs && !signal.aborted) {
      if (await askOnce(this.shared.name, address, port, signal)) {
        await pause(this.#times.lingerMs, signal);
        break;
      }
      Atomics.store(this.#services.words, this.shared.seenWord, 0);
      await pause(this.#times.retryMs, signal);
    }
    this.#disable();
  }

  /** HINFO queries take the fast way from now on, unless a newer configuration has its probe on. */
  #disable(): void {
    Atomics.compareExchange(this.#services.words, this.shared.flagWord, this.shared.token, 0);
  }
}

export class Loop implements Plugin {
  readonly name = 'loop';
  readonly #services: ShardServices;
  readonly #shared: LoopShared;

  constructor(services: ShardServices, shared: LoopShared) {
    this.#services = services;
    this.#shared = shared;
  }

  async answer(query: Query, next: Next): Promise<Outcome> {
    const { words } = this.#services;
    const { flagWord, seenWord, token, name } = this.#shared;
    if (query.type === TYPE_HINFO && query.name === name && Atomics.load(words, flagWord) === token) {
      const seen = Atomics.add(words, seenWord, 1) + 1;
      const { address, port, family } = query.remote;
      if (seen > SEEN_MAX) this.#services.notifyControl(family === 6 ? `[${address}]:${port}` : `${address}:${port}`);
    }
    return next(query);
  }
}

interface Listener {
  /** As CoreDNS prints it: `:53`, `127.0.0.1:53`. */
  readonly text: string;
  readonly address: string;
  readonly port: number;
}

/** Where the key's listener is reached; a wildcard one at loopback. */
function listenerOf(key: ServerKey): Listener {
  const text = key.server.replace(/^dns:\/\//, '');
  const { address } = key;
  const isWildcard = address === '' || address === '0.0.0.0' || address === '::';
  const loopback = address === '::' ? '::1' : '127.0.0.1';
  return { text, address: isWildcard ? loopback : address, port: key.port };
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, { signal });
  } catch {
    // Called off: the caller looks at the signal
  }
}
