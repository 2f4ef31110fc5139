/** What the bench must know of a server: how it is configured and started, and which questions it can answer. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { answers } from '../probe.ts';
import { Process, processTree, untilReady } from '../processes.ts';
import type { Need } from '../sets.ts';

/** Where and with what the peers run. */
export interface Room {
  /** The bench's work directory. */
  readonly directory: string;
  /** Holds bin/coredns, as test/e2e/install.sh puts it. */
  readonly tools: string;
  /** The root of this repository. */
  readonly repository: string;
  readonly serverCore: number;
  readonly loadCore: number;
  readonly services: number;
  /** Put before wasmdns's own words (profiles). */
  readonly nodeFlags: readonly string[];
  readonly upstreamPort: number;
  /** Empty when no peer needs the cluster. */
  readonly kubeconfig: string;
}

export interface Peer {
  readonly name: string;
  readonly title: string;
  readonly abilities: readonly Need[];
  /** The command, and how to get it: printed when it is missing. */
  readonly command: (room: Room) => string;
  readonly install: string;
  start(room: Room): Promise<Running>;
}

export interface Running {
  readonly port: number;
  readonly pids: readonly number[];
  readonly process: Process;
}

const TEMPLATES = import.meta.dirname;

/** Replaces each @WORD@ of a file beside this one. @throws Error naming a word that has no value */
export function fillTemplate(file: string, words: Readonly<Record<string, string | number>>): string {
  return readFileSync(join(TEMPLATES, file), 'utf8').replace(/@([A-Z]+)@/g, (_, word: string) => {
    const value = words[word];
    if (value === undefined) throw new Error(`peers/${file}: no value for @${word}@`);
    return String(value);
  });
}

/** An empty directory of the peer's own. */
export function directoryOf(room: Room, name: string): string {
  const directory = join(room.directory, name);
  mkdirSync(directory, { recursive: true });
  return directory;
}

export interface Plan {
  readonly peer: Peer;
  readonly room: Room;
  readonly directory: string;
  readonly port: number;
  readonly words: readonly string[];
  readonly core: number;
  /** A query file line that is answered right as soon as the server is up. */
  readonly proof: string;
}

const READY_MS = 60_000;

export async function launch(plan: Plan): Promise<Running> {
  const { peer, port, directory } = plan;
  const process = new Process({
    command: peer.command(plan.room),
    words: plan.words,
    core: plan.core,
    log: join(directory, 'log'),
    cwd: directory,
  });
  await untilReady(peer.title, process, () => answers(port, plan.proof), READY_MS);
  return { port, process, pids: processTree(process.pid) };
}
