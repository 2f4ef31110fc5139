// Starts one server from a drafted Corefile and says what became of it: it serves, or it has refused, and why.

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Child, scratchDirectory, sleep } from '../../support/child.ts';
import { freePort } from '../../support/ports.ts';
import { commandOf, type Seat } from '../../support/server.ts';
import type { Draft } from './grammar.ts';

/** What all trials of a run have in common. */
export interface Surroundings {
  readonly upstreamPort: number;
  readonly secondUpstreamPort: number;
  /** Nobody listens there. */
  readonly closedPort: number;
  readonly kubeconfig: string;
  /** More `@WORD@`s, the same for all trials. */
  readonly words?: Readonly<Record<string, string | number>>;
  /** wasmdns only. */
  readonly shards?: number;
}

export type Verdict =
  | { readonly kind: 'serving'; readonly startLines: readonly string[]; readonly output: string }
  | { readonly kind: 'refused'; readonly code: number | null; readonly problem: Problem; readonly output: string }
  | { readonly kind: 'hung'; readonly output: string };

/** What a refusal names. */
export interface Problem {
  readonly text: string;
  readonly line: number | undefined;
  readonly directive: string | undefined;
}

const START_TIMEOUT_MS = 25_000;
const LEAVE_MS = 4000;
/** CoreDNS may panic in another goroutine right after its banner. */
const SETTLED_MS = 100;
const PORT_WORDS = ['PORT', 'PORTB', 'PORTC', 'HEALTH', 'READY', 'METRICS'] as const;
export type PortWord = (typeof PORT_WORDS)[number];

/** Ports come back when their server is gone, for there are more Corefiles than ports. */
const released: Record<PortWord, number>[] = [];

export class Trial {
  readonly seat: Seat;
  readonly ports: Readonly<Record<PortWord, number>>;
  readonly child: Child;
  verdict!: Verdict;

  private constructor(seat: Seat, ports: Record<PortWord, number>, child: Child) {
    this.seat = seat;
    this.ports = ports;
    this.child = child;
  }

  static async start(seat: Seat, draft: Draft, around: Surroundings): Promise<Trial> {
    const ports = released.pop() ?? (await choosePorts());
    const directory = mkdtempSync(join(scratchDirectory(), `${seat}-`));
    const words: Readonly<Record<string, string | number>> = {
      ...ports,
      UPSTREAM: around.upstreamPort,
      UPSTREAMB: around.secondUpstreamPort,
      CLOSED: around.closedPort,
      KUBECONFIG: around.kubeconfig,
      ...around.words,
      FILES: directory,
    };
    const fill = (text: string) => text.replace(/@([A-Z]+)@/g, (whole, word: string) => String(words[word] ?? whole));
    for (const [name, text] of Object.entries(draft.files)) {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), fill(text));
    }
    const path = join(directory, 'Corefile');
    writeFileSync(path, fill(draft.text));
    const { command, args } = commandOf(seat, path, around.shards ?? 1);
    const env = Object.fromEntries(Object.entries(draft.env).map(([name, value]) => [name, fill(value)]));
    const child = new Child(`${seat}-${ports.PORT}`, command, [...args, '-dns.port', String(ports.PORT)], {
      cwd: directory,
      // `multisocket` without a number: as many sockets as there are serving threads.
      env: { ...env, GOMAXPROCS: String(around.shards ?? 1) },
    });
    const trial = new Trial(seat, ports, child);
    trial.verdict = await trial.watch(directory);
    return trial;
  }

  /** At once; its ports may be used again. */
  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child.exited;
    released.push({ ...this.ports });
  }

  private async watch(directory: string): Promise<Verdict> {
    const deadline = Date.now() + START_TIMEOUT_MS;
    let bannerAt = Date.now();
    for (;;) {
      const { hasExited } = this.child;
      const output = this.neutral(this.child.output(), directory);
      if (/^(?:CoreDNS|wasmdns)-[0-9]/m.test(output) && !hasExited) {
        const startLines = startLinesOf(output);
        // Without a listener both end behind their banner, the one a little later than the other
        if (Date.now() > bannerAt + (startLines.length > 0 ? SETTLED_MS : LEAVE_MS))
          return { kind: 'serving', startLines, output };
      } else bannerAt = Date.now();
      if (hasExited) {
        const { code } = await this.child.exited;
        return { kind: 'refused', code, problem: problemOf(output), output };
      }
      if (Date.now() > deadline) return { kind: 'hung', output };
      await sleep(15);
    }
  }

  /** Without what is the server's own: its directory and its ports. */
  private neutral(output: string, directory: string): string {
    let text = output.replaceAll(`${directory}/`, '').replaceAll(directory, '@FILES@');
    for (const word of PORT_WORDS) text = text.replaceAll(String(this.ports[word]), `@${word}@`);
    return text;
  }
}

async function choosePorts(): Promise<Record<PortWord, number>> {
  const entries = await Promise.all(PORT_WORDS.map(async (word) => [word, await freePort()] as const));
  return Object.fromEntries(entries) as Record<PortWord, number>;
}

/** `zone:port` and `zone:port on address`, one for each zone and listener, above the banner. */
function startLinesOf(output: string): string[] {
  return output
    .split('\n')
    .filter((line) => /^\S+:@?[A-Z0-9]+@?(?: on \S+)?$/.test(line) && !line.startsWith('maxprocs:'));
}

function problemOf(output: string): Problem {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const said = lines.filter((line) => !/^(?:maxprocs:|\[INFO\]|\[WARNING\]|Warning: Domain)/.test(line));
  const text = (said[0]?.startsWith('panic') ? said[0] : said.join('\n')).slice(0, 600);
  const line = /(?:^|\s)[\w./-]+:([0-9]+) - /.exec(text)?.[1];
  const directive = /plugin\/([a-z0-9_]+):/.exec(text)?.[1] ?? /Unknown directive '([^']*)'/.exec(text)?.[1];
  return {
    text,
    line: line === undefined ? undefined : Number(line),
    directive: directive?.replace(/\s+/g, ' ').trim(),
  };
}
