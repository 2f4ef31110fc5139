/**
 * `npm run bench:engine [-- --sets a,b --services N --rounds N --seconds S]`: nanoseconds of one message through the
 * engine alone, in batches of 64, without sockets and without an API server. Prints a table.
 */
import { parseArgs } from 'node:util';
import { BATCH } from '../engine-as/shared/layout.ts';
import { type Packed, pack, Slots } from './engine/batches.ts';
import { Inserts } from './engine/inserts.ts';
import { ENGINE_SETS, type EngineSet, freshNames, questionsOf } from './engine/sets.ts';
import { buildWorld } from './engine/world.ts';
import { describeMachine } from './machine.ts';
import { median, spread } from './statistics.ts';
import { formatNumber, formatPercent, renderTable } from './table.ts';

/** Of the default cache: with fewer entries a set of slots may overflow. */
const CAPACITY = 9984;

interface Options {
  readonly sets: readonly EngineSet[];
  readonly services: number;
  readonly rounds: number;
  readonly seconds: number;
}

function parseWords(words: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...words],
    options: {
      sets: { type: 'string', default: ENGINE_SETS.map(({ name }) => name).join(',') },
      services: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '0.1' },
    },
  });
  const sets = values.sets.split(',').map((name) => {
    const found = ENGINE_SETS.find((set) => set.name === name);
    if (found === undefined)
      throw new Error(`unknown set "${name}"; sets: ${ENGINE_SETS.map((set) => set.name).join()}`);
    return found;
  });
  const number = (text: string): number => {
    if (!(Number(text) > 0)) throw new Error(`expected a number above 0, got "${text}"`);
    return Number(text);
  };
  return {
    sets,
    services: number(values.services),
    rounds: Math.ceil(number(values.rounds)),
    seconds: number(values.seconds),
  };
}

/** Runs batches for `seconds`; the median of them, so that a batch during which the thread was put aside does not count. */
function measure(seconds: number, prepare: () => void, run: () => void): number {
  const taken: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until) {
    prepare();
    const start = performance.now();
    run();
    taken.push(performance.now() - start);
  }
  return (median(taken) / BATCH) * 1e6;
}

class Bench {
  readonly #options: Options;
  readonly #cached: readonly EngineSet[];
  readonly #built;
  readonly #slots: Slots;
  readonly #inserts: Inserts;

  constructor(options: Options) {
    this.#options = options;
    // A cache with room for twice the names holds them all
    this.#cached = options.sets.filter(({ cachedNames }) => cachedNames > 0);
    this.#built = buildWorld(options.services, [
      CAPACITY,
      ...this.#cached.map(({ cachedNames }) => Math.max(CAPACITY, cachedNames * 2)),
    ]);
    const { engine, memory, area } = this.#built.world;
    this.#slots = new Slots(memory, area);
    this.#inserts = new Inserts(engine, memory, area);
    this.#serve(pack(freshNames(BATCH)), 0, this.#built.listeners[0]!);
    this.#inserts.learn();
  }

  round(set: EngineSet, packed: Packed, seconds: number): number {
    const { engine, area } = this.#built.world;
    const { listeners } = this.#built;
    let next = 0;
    if (set.isInsert) {
      const prepare = (): void => {
        next = this.#inserts.fill(packed, next);
      };
      return measure(seconds, prepare, () => this.#inserts.run());
    }
    const listener = listeners[this.#cached.indexOf(set) + 1]!;
    const prepare = (): void => {
      next = this.#slots.fill(packed, next);
    };
    const taken = measure(seconds, prepare, () => engine.serve(area, listener, BATCH));
    engine.settle(area, 0.1);
    return taken;
  }

  /** Fills the set's cache and sees that the engine answers every question of the set itself. */
  warm(set: EngineSet, packed: Packed): void {
    const index = this.#cached.indexOf(set) + 1;
    const listener = this.#built.listeners[index]!;
    const count = packed.bytes.length;
    let next = 0;
    if (set.cachedNames > 0) {
      this.#serve(packed, 0, listener);
      this.#inserts.learn();
      for (let done = 0; done < count; done += BATCH) {
        next = this.#inserts.fill(packed, next);
        this.#inserts.run();
      }
    }
    let answered = 0;
    for (let done = 0; !set.isInsert && done < count; done += BATCH) {
      next = this.#serve(packed, next, listener);
      answered += this.#slots.sends;
    }
    const lost = Math.ceil(count / BATCH) * BATCH - answered;
    // Of a million names a hundred share their 32-bit hash with another, which takes their place
    if (!set.isInsert && lost > count / 5000)
      throw new Error(`${set.name}: ${lost} of ${count} questions left the engine`);
  }

  #serve(packed: Packed, first: number, listener: number): number {
    const { engine, area } = this.#built.world;
    const next = this.#slots.fill(packed, first);
    engine.serve(area, listener, BATCH);
    engine.settle(area, 0.1);
    return next;
  }

  run(): string {
    const { sets, services, rounds, seconds } = this.#options;
    const tables = sets.map((set) => ({ set, packed: pack(questionsOf(set, services)), figures: [] as number[] }));
    for (const { set, packed } of tables) {
      this.warm(set, packed);
      this.round(set, packed, seconds);
    }
    // In turn, so that a slow moment of the machine falls on all sets
    for (let round = 0; round < rounds; round++) {
      for (const { set, packed, figures } of tables) figures.push(this.round(set, packed, seconds));
    }
    const rows = tables.map(({ set, figures }) => [
      set.name,
      set.title,
      formatNumber(median(figures)),
      formatNumber(Math.min(...figures)),
      formatPercent(spread(figures)),
    ]);
    return renderTable(['set', 'question', 'ns', 'least', 'spread'], rows);
  }
}

const options = parseWords(process.argv.slice(2));
const table = new Bench(options).run();
const { date, processor, cores, kernel, node, commit } = describeMachine();
process.stdout.write(
  `${date}, ${processor} (${cores} cores), Linux ${kernel}, Node ${node}, commit ${commit}; ${options.services} services, ` +
    `${options.rounds} rounds of ${options.seconds} s; nanoseconds a message, batches of ${BATCH}\n\n${table}`,
);
