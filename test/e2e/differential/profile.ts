// What the text of an accepted Corefile says about questions and answers.

import type { Cluster } from './cluster.ts';
import type { Subject } from './generator.ts';
import { hintsOf, isAskable } from './hints.ts';
import type { Promises } from './pair.ts';
import { type Listener, PLAIN_LISTENER } from './probe.ts';
import { ruleHintsOf } from './rule-hints.ts';

export interface Profile {
  readonly subject: Subject;
  readonly promises: Promises;
  readonly hasMetrics: boolean;
}

/**
 * @param startLines `zone:@PORT@` or `zone:@PORT@ on ADDRESS`, as the servers print them.
 * @param texts the Corefile and the files beside it.
 */
export function profileOf(startLines: readonly string[], texts: readonly string[], cluster: Cluster): Profile {
  const text = texts[0]!;
  // Variables that are not set
  texts = texts.map((each) => each.replace(/\{\$EMPTY\}|\{%EMPTY%\}/g, ''));
  const has = (word: string) => texts.some((each) => new RegExp(`^[ \\t]*${word}\\b`, 'm').test(each));
  const hasCluster = has('kubernetes');
  const hasTtlClock = has('cache');
  const isBalanced = has('loadbalance');
  const zones = hasCluster ? kubernetesZones(text) : [];
  // A rule may turn any name into one of the cluster.
  const rules = ruleHintsOf(texts.join('\n'));
  const isTurned = hasCluster && has('rewrite');
  return {
    subject: {
      cluster,
      hints: hintsOf(...texts),
      rules: { ...rules, names: [...rules.names, ...optionNames(text, cluster)].filter(isAskable) },
      listeners: listenersOf(startLines),
      hasCluster,
    },
    promises: {
      ttlSlackSeconds: () => (hasTtlClock ? 1 : 0),
      order: (name) => {
        if (isTurned || zones.some((zone) => name === zone || name.endsWith(zone === '.' ? '.' : `.${zone}`)))
          return 'kinds';
        return isBalanced ? 'shuffled' : 'sequence';
      },
    },
    hasMetrics: has('prometheus'),
  };
}

/** Names that only some options of kubernetes serve. */
function optionNames(text: string, cluster: Cluster): string[] {
  const some = (word: RegExp, names: readonly string[]) => (word.test(text) ? names.slice(0, 40) : []);
  return [
    ...some(/^\s*multicluster\b/m, cluster.setNames),
    ...some(/^\s*zonal\b/m, cluster.zoneNames),
    ...some(/^\s*pods (?:verified|insecure)/m, cluster.podNames),
  ];
}

function listenersOf(startLines: readonly string[]): Listener[] {
  const listeners = new Map<string, Listener>();
  for (const line of startLines) {
    const [, word, address] = /:@([A-Z]+)@(?: on (\S+))?$/.exec(line) ?? [];
    if (word === undefined || address?.includes('%') === true) continue;
    const isPlain = word === 'PORT' && address === undefined;
    const listener = isPlain
      ? PLAIN_LISTENER
      : { word, address: address === '0.0.0.0' ? '127.0.0.1' : (address ?? '127.0.0.1') };
    listeners.set(`${word} ${address ?? ''}`, listener);
  }
  return [...listeners.values()];
}

/** Zones of the kubernetes directives; those of the block when there are none, which is taken for every name. */
function kubernetesZones(text: string): string[] {
  return [...text.matchAll(/^[ \t]*kubernetes\b([^{\n#]*)/gm)].flatMap(([, words]) => {
    const zones = words!
      .trim()
      .split(/\s+/)
      .filter((word) => word !== '');
    if (zones.length === 0) return ['.'];
    return zones.map((zone) => (zone.includes('/') ? 'arpa.' : `${zone.toLowerCase().replace(/\.$/, '')}.`));
  });
}
