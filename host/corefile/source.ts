// Where the configuration comes from: a file, standard input, or the built-in default.

import { statSync } from 'node:fs';
import { UserError } from '../errors.ts';
import { readDescriptorText, readFileText } from './file-text.ts';

/** Gives the configuration's text; again at each reload. */
export interface CorefileSource {
  /** Path for messages and for relative imports. */
  readonly file: string;
  /** Throws UserError when it cannot be read. */
  read(): string;
}

/** File that is taken from the working directory when no `-conf` is given. */
const DEFAULT_FILE = 'Corefile';

/**
 * @param path the `-conf` flag: a path, `stdin`, or undefined for `Corefile` in the working directory if there is one
 *   and the built-in configuration otherwise
 * @param defaultPort the `-dns.port` flag, for the built-in configuration
 */
export function corefileSource(path: string | undefined, defaultPort: number): CorefileSource {
  if (path === 'stdin') return standardInput(defaultPort);
  if (path !== undefined) return { file: path, read: () => readText(path) };
  const builtIn = defaultText(defaultPort);
  return { file: DEFAULT_FILE, read: () => (exists(DEFAULT_FILE) ? readText(DEFAULT_FILE) : builtIn) };
}

/** The whole server without a Corefile: who asked, on the default port. */
export function defaultText(defaultPort: number): string {
  return `.:${defaultPort} {\nwhoami\nlog\n}\n`;
}

/** A pipe can be read once: later reads give the same text, so nothing ever changes. */
function standardInput(defaultPort: number): CorefileSource {
  let text: string | undefined;
  return {
    file: '/dev/stdin',
    read: () => {
      text ??= process.stdin.isTTY ? defaultText(defaultPort) : readDescriptorText(0, '/dev/stdin');
      return text;
    },
  };
}

function readText(path: string): string {
  try {
    return readFileText(path);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`loading Corefile: ${error.message}`, { cause: error });
    throw error;
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
