// `hosts [FILE [ZONES...]] { INLINE LINES; ttl N; no_reverse; reload DUR; fallthrough [ZONES...]; fallthrough_unsupported }`

import { statSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { DurationError, parseDurationMs } from '../../corefile/duration.ts';
import type { DirectiveReader, Token } from '../../corefile/reader.ts';

export type HostsConfig = {
  /** As the metric label shows it. */
  readonly file: string;
  /** What is to be said about the file when the server starts. */
  readonly warnings: readonly string[];
  /** Lower-case, fully qualified; names outside are not ours. */
  readonly zones: readonly string[];
  /** Lines of a hosts file, written into the Corefile. */
  readonly inline: readonly string[];
  readonly ttlSeconds: number;
  readonly hasReverse: boolean;
  /** 0 = the file is read once. */
  readonly reloadMs: number;
  /** Empty = never. */
  readonly fallthrough: readonly string[];
  readonly fallthroughUnsupported: boolean;
};

const FILE_DEFAULT = '/etc/hosts';
const OPTIONS = ['fallthrough', 'fallthrough_unsupported', 'no_reverse', 'reload', 'ttl'];
const TTL_DEFAULT_SECONDS = 3600;
const TTL_SECONDS_MAX = 65535;
const RELOAD_DEFAULT_MS = 5000;

type Draft = { -readonly [K in keyof HostsConfig]: HostsConfig[K] } & { inline: string[] };

export function parseHosts(reader: DirectiveReader): HostsConfig {
  let unsupportedAt: Token | undefined;
  const draft = reader.once(({ args }) => {
    const stanza = draftOf(reader, args);
    for (const word of reader.wordsOfBlock()) {
      if (word.text === 'fallthrough_unsupported') unsupportedAt = word;
      takeProperty(reader, stanza, word);
    }
    return stanza;
  });
  if (unsupportedAt !== undefined && draft.fallthrough.length === 0) {
    throw reader.error(unsupportedAt, 'fallthrough_unsupported requires fallthrough');
  }
  return draft;
}

function draftOf(reader: DirectiveReader, args: readonly Token[]): Draft {
  const [file, ...zones] = args;
  const draft: Draft = {
    file: file === undefined ? FILE_DEFAULT : reader.path(file),
    warnings: [],
    zones: reader.zones(zones),
    inline: [],
    ttlSeconds: TTL_DEFAULT_SECONDS,
    hasReverse: true,
    reloadMs: RELOAD_DEFAULT_MS,
    fallthrough: [],
    fallthroughUnsupported: false,
  };
  // Only a file that is named is looked at now, as in CoreDNS.
  if (file !== undefined) draft.warnings = checkFile(reader, file, draft.file);
  return draft;
}

/** A file that is not there yet is only worth a warning; one that cannot be looked at is an error. */
function checkFile(reader: DirectiveReader, at: Token, path: string): string[] {
  try {
    return statSync(path).isDirectory() ? [`Hosts file ${JSON.stringify(path)} is a directory`] : [];
  } catch (error) {
    const { code, errno } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [`File does not exist: ${path}`];
    const reason = errno === undefined ? String(error) : getSystemErrorMessage(errno);
    throw reader.error(at, `unable to access hosts file '${path}': stat ${path}: ${reason}`);
  }
}

function takeProperty(reader: DirectiveReader, draft: Draft, word: Token): void {
  // CoreDNS takes no argument here: further words are read like a line of their own.
  if (word.text === 'no_reverse') {
    draft.hasReverse = false;
    return;
  }
  const args = reader.restOfLine();
  switch (word.text) {
    case 'fallthrough':
      draft.fallthrough = args.length === 0 ? ['.'] : reader.zones(args);
      return;
    case 'fallthrough_unsupported':
      if (args.length > 0) throw reader.argumentError(args.at(-1)!);
      draft.fallthroughUnsupported = true;
      return;
    case 'ttl':
      draft.ttlSeconds = parseTtl(reader, word, args);
      return;
    case 'reload':
      draft.reloadMs = parseReload(reader, word, args);
      return;
    default:
      // Every other word is an address, until fallthrough has been seen.
      if (draft.fallthrough.length > 0) throw reader.unknownProperty(word, OPTIONS);
      draft.inline.push([word, ...args].map((token) => token.text).join(' '));
  }
}

/** Words behind the number are ignored, as in CoreDNS. */
function parseTtl(reader: DirectiveReader, word: Token, args: readonly Token[]): number {
  const [seconds] = args;
  if (seconds === undefined) throw reader.error(word, 'ttl needs a time in second');
  const ttl = reader.maybeInteger(seconds);
  if (ttl === undefined || !Number.isSafeInteger(ttl)) throw reader.error(seconds, 'ttl needs a number of second');
  if (ttl <= 0 || ttl > TTL_SECONDS_MAX) throw reader.error(seconds, 'ttl provided is invalid');
  return ttl;
}

function parseReload(reader: DirectiveReader, word: Token, args: readonly Token[]): number {
  const [duration, extra] = args;
  if (duration === undefined || extra !== undefined) {
    throw reader.error(extra ?? word, 'reload needs a duration (zero seconds to disable)');
  }
  let ms: number;
  try {
    ms = parseDurationMs(duration.text);
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
    throw reader.error(duration, `invalid duration for reload '${duration.text}'`);
  }
  if (ms < 0) throw reader.error(duration, `invalid negative duration for reload '${duration.text}'`);
  return ms;
}
