// One upstream and one plugin that forwards to it, set up and taken down around a test.

import assert from 'node:assert/strict';
import { type Script, ScriptedUpstream } from './scripted-upstream.ts';
import { type Ended, World, type WorldOptions } from './world.ts';

export interface Scene {
  readonly up: ScriptedUpstream;
  readonly world: World;
}

/** @param body options of the stanza; `UP` elsewhere in it is the upstream's address */
export async function scene(
  body: string,
  script: Script,
  run: (scene: Scene) => Promise<void>,
  options?: WorldOptions,
) {
  const up = await ScriptedUpstream.start(script);
  const text = body.startsWith('forward') ? body : `forward . UP {\n${body}\n}`;
  const world = new World(text.replaceAll('UP', up.text), options);
  try {
    await run({ up, world });
    assert.equal(world.exchanges.openCount, 0, 'every exchange has ended');
  } finally {
    const stopped = world.plugin.stop();
    // If the test has failed, there may be flights that nothing but time ends
    options?.clock?.advance(10_000);
    await stopped;
    await up.stop();
  }
}

/** Rcode of a reply; of a failure its negative. */
export function rcodeOf(ended: Ended): number {
  return ended.kind === 'reply' ? ended.message.flags & 15 : -ended.rcode;
}

/** Error text; anything but a failure is an AssertionError. */
export function textOf(ended: Ended): string {
  assert.equal(ended.kind, 'failure');
  return ended.kind === 'failure' ? ended.text : '';
}

/** Another upstream, for as long as `run` takes. */
export async function withUpstream(script: Script, run: (upstream: ScriptedUpstream) => Promise<void>): Promise<void> {
  const upstream = await ScriptedUpstream.start(script);
  try {
    await run(upstream);
  } finally {
    await upstream.stop();
  }
}
