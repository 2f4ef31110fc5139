// Command line flags as Go's flag package takes them: one dash or two, `-flag value` or `-flag=value`. They end at the
// first other word, or behind `--`.

import { UserError } from '../errors.ts';

/** The flags of a command. */
export interface FlagSet {
  readonly withValue: readonly string[];
  readonly switches: readonly string[];
  /** Two words for the same thing: the last one counts. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly usage: string;
}

/** An unknown flag or a missing value: usage and exit code 2. An empty message: help was asked for, exit code 0. */
export class UsageError extends Error {
  readonly usage: string;

  constructor(message: string, usage: string) {
    super(message);
    this.usage = usage;
  }
}

/** What Go's strconv.ParseBool takes. */
const TRUE = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE = ['0', 'f', 'F', 'FALSE', 'false', 'False'];
const SHARDS_MAX = 64;

export class Flags {
  readonly #values = new Map<string, string>();
  readonly #usage: string;

  /** Throws UsageError; UserError for words that are no flags. */
  constructor(argv: readonly string[], flags: FlagSet) {
    this.#usage = flags.usage;
    const rest = this.#parse(argv, flags);
    if (rest.length > 0) throw new UserError(`extra command line arguments: [${rest.join(' ')}]`);
  }

  text(name: string): string | undefined {
    return this.#values.get(name);
  }

  isOn(name: string, fallback = false): boolean {
    return (this.#values.get(name) ?? String(fallback)) === 'true';
  }

  oneOf<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const text = this.#values.get(name) ?? fallback;
    const choice = choices.find((each) => each === text);
    if (choice !== undefined) return choice;
    throw new UsageError(
      `invalid value "${text}" for flag -${name}: must be one of ${choices.join(', ')}`,
      this.#usage,
    );
  }

  /** The default is not held to the bounds. */
  integer<T>(name: string, fallback: T, min: number, max: number): number | T {
    const text = this.#values.get(name);
    if (text === undefined) return fallback;
    const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value >= min && value <= max) return value;
    const rule = `must be a number between ${min} and ${max}`;
    throw new UsageError(`invalid value "${text}" for flag -${name}: ${rule}`, this.#usage);
  }

  shards(): number | undefined {
    return this.integer('shards', undefined, 1, SHARDS_MAX);
  }

  /** The words of Go's resolver, which looks at the port when the server begins to listen. */
  port(name: string, fallback: number): number {
    const text = this.#values.get(name);
    if (text === undefined) return fallback;
    if (!/^[-+]?\d+$/.test(text)) throw new UserError(`lookup tcp/${text}: unknown port`);
    const port = Number(text);
    if (port < 0 || port > 65535) throw new UserError(`address ${text}: invalid port`);
    return port;
  }

  /** Returns the words behind the flags. */
  #parse(argv: readonly string[], flags: FlagSet): readonly string[] {
    let i = 0;
    for (; i < argv.length; i++) {
      const word = argv[i]!;
      if (word === '--') return argv.slice(i + 1);
      if (!word.startsWith('-') || word === '-') break;
      const match = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(word);
      if (match === null) throw this.#error(`bad flag syntax: ${word}`);
      const [, name, inline] = match as unknown as [string, string, string | undefined];
      if (flags.switches.includes(name)) this.#values.set(name, this.#switch(name, inline ?? 'true'));
      else if (flags.withValue.includes(name)) {
        const value = inline ?? argv[++i];
        if (value === undefined) throw this.#error(`flag needs an argument: -${name}`);
        this.#values.set(flags.aliases[name] ?? name, value);
      } else throw this.#error(name === 'h' || name === 'help' ? '' : `flag provided but not defined: -${name}`);
    }
    return argv.slice(i);
  }

  #switch(name: string, text: string): string {
    if (TRUE.includes(text)) return 'true';
    if (FALSE.includes(text)) return 'false';
    throw this.#error(`invalid boolean value "${text}" for -${name}: parse error`);
  }

  #error(message: string): UsageError {
    return new UsageError(message, this.#usage);
  }
}
