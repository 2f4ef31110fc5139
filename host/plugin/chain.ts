// Folds the plugins of one server block into one function. A plugin hands the query on by calling next(); the outcome
// comes back the same way, so what stands above sees it last.
//
//   chain(0) ─► plugin 0 ─ next ─► plugin 1 ─ next ─► ... ─► end: SERVFAIL

import { RCODE_SERVFAIL } from '../../engine-as/shared/codes.ts';
import type { Answer, Next, Outcome, Plugin, Query } from './contract.ts';

/** One directive's place in the chain of its block. */
export interface Link {
  /** The Corefile word. */
  readonly name: string;
  /** Absent where the directive has no slow face: the query goes on to the next link. */
  readonly plugin: Plugin | undefined;
  /** False for words that configure the server and see no query (CoreDNS core, A7). */
  readonly seesQueries: boolean;
}

/** Answers in the place of a plugin that can only relay() octets. */
export type RelayBridge = (plugin: Plugin, query: Query) => Promise<Outcome>;

/** A plugin that threw; `cause` is what it threw. */
export class PluginError extends Error {
  override name = 'PluginError';
  readonly plugin: string;

  constructor(plugin: string, cause: unknown) {
    super(`plugin/${plugin}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.plugin = plugin;
  }
}

/**
 * The part of the chain that begins at link `from`. The function rejects with PluginError when a plugin throws, or
 * calls next() twice; every other failure is an Answer with `error`, of which each link above hears by onError()
 * unless the text is empty.
 */
export function foldChain(links: readonly Link[], from: number, bridge: RelayBridge): Next {
  const link = links[from];
  if (link === undefined) return async (query) => chainEnd(links, query);
  const below = foldChain(links, from + 1, bridge);
  const { name, plugin } = link;
  if (plugin === undefined) return below;
  const heard = plugin.onError === undefined ? below : listening(name, plugin, below);
  if (plugin.answer !== undefined) return (query) => answerOnce(name, plugin, query, heard);
  if (plugin.relay !== undefined) return (query) => named(name, () => bridge(plugin, query));
  return heard;
}

/** Tells links 0 to `below` - 1 of a failure that was not seen by the folded chain, nearest first. */
export function reportAbove(links: readonly Link[], below: number, query: Query, rcode: number, text: string): void {
  for (let i = Math.min(below, links.length) - 1; i >= 0; i--) links[i]!.plugin?.onError?.(query, rcode, text);
}

/** A reply with nothing but an rcode; `text` is for plugin errors. */
export function errorAnswer(rcode: number, from: string, text: string): Answer {
  return { kind: 'answer', rcode, flags: 0, answer: [], authority: [], additional: [], from, error: text };
}

/** CoreDNS core, A7: nobody answered. */
function chainEnd(links: readonly Link[], query: Query): Answer {
  const link = links.findLast(({ seesQueries }) => seesQueries);
  const last = link?.plugin?.nameAtEnd?.(query) ?? link?.name ?? '';
  return errorAnswer(RCODE_SERVFAIL, '', `plugin/${last}: no next plugin found`);
}

function listening(name: string, plugin: Plugin, below: Next): Next {
  return async (query) => {
    const outcome = await below(query);
    if (outcome.kind === 'answer' && outcome.error !== undefined && outcome.error !== '') {
      const { rcode, error } = outcome;
      await named(name, async () => plugin.onError?.(query, rcode, error));
    }
    return outcome;
  };
}

function answerOnce(name: string, plugin: Plugin, query: Query, below: Next): Promise<Outcome> {
  let isCalled = false;
  return named(name, async () =>
    plugin.answer!(query, async (asked) => {
      if (isCalled) throw new PluginError(name, new Error('next() called twice for one query'));
      isCalled = true;
      const outcome = await below(asked);
      if (outcome.kind === 'answer' && stumbles(plugin, asked, outcome))
        throw new PluginError(name, new Error(MISSING));
      return outcome;
    }),
  );
}

const MISSING = 'a record is missing';

function stumbles(plugin: Plugin, query: Query, answer: Answer): boolean {
  return answer.hollow !== undefined && plugin.looksAt?.(query, answer) === true;
}

/** What the nearest of links 0 to `below` - 1 throws that looks at a record which is not there. */
export function stumbleAbove(
  links: readonly Link[],
  below: number,
  query: Query,
  answer: Answer,
): PluginError | undefined {
  if (answer.hollow === undefined) return undefined;
  const found = links.slice(0, below).findLast(({ plugin }) => plugin !== undefined && stumbles(plugin, query, answer));
  return found && new PluginError(found.name, new Error(MISSING));
}

/** Puts the plugin's name to what it throws; the innermost name stays. */
async function named<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof PluginError ? error : new PluginError(name, error);
  }
}
