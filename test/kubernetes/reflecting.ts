// A reflector of namespaces in front of a scripted API.

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { loadAccess } from '../../host/kubernetes/access.ts';
import type { Timing } from '../../host/kubernetes/backoff.ts';
import { ApiClient } from '../../host/kubernetes/client.ts';
import type { Namespace } from '../../host/kubernetes/objects/namespace.ts';
import { NAMESPACES } from '../../host/kubernetes/objects/resources.ts';
import { Reflector } from '../../host/kubernetes/reflector.ts';
import type { ObjectSink } from '../../host/kubernetes/sinks.ts';
import { createLog } from '../../host/log.ts';
import { type Scene, scriptedApi } from './scripted-api.ts';

export const TIMING: Timing = {
  stallMs: 10_000,
  headersMs: 10_000,
  backoffMs: [5, 20],
  costlyBackoffMs: 20,
  healthyMs: 10_000,
  checkMs: 0,
  graceMs: 5,
  random: () => 0,
};

/** Keeps names; a list that was begun but not ended removes nothing. */
export class NameSink implements ObjectSink<Namespace> {
  readonly names = new Set<string>();
  begun = 0;
  ended = 0;
  #seen = new Set<string>();

  begin(): void {
    this.begun++;
    this.#seen = new Set();
  }
  put({ name }: Namespace): void {
    this.names.add(name);
    this.#seen.add(name);
  }
  remove({ name }: Namespace): void {
    this.names.delete(name);
  }
  end(): void {
    this.ended++;
    for (const name of this.names) if (!this.#seen.has(name)) this.names.delete(name);
  }
}

export interface Watched {
  readonly sink: NameSink;
  readonly reflector: Reflector<Namespace>;
  readonly requests: string[];
  readonly codes: string[];
  readonly lines: string[];
  /** Waits until the sink holds exactly these names. */
  shows(...names: readonly string[]): Promise<void>;
}

export async function reflect(
  t: TestContext,
  scenes: readonly Scene[],
  timing: Partial<Timing> = {},
): Promise<Watched> {
  const api = await scriptedApi(...scenes);
  const config = await loadAccess({ kind: 'endpoint', url: api.url, tls: undefined }, NO_POD);
  const codes: string[] = [];
  const observer = { requested: (code: string) => void codes.push(code), listed: () => {} };
  const whole = { ...TIMING, ...timing };
  const client = new ApiClient(config, observer, whole.headersMs);
  const lines: string[] = [];
  const sink = new NameSink();
  const log = createLog((line) => lines.push(line.trimEnd()), 'plugin/kubernetes');
  const reflector = new Reflector({ client, resource: NAMESPACES, sink, onBatch: () => {}, log, timing: whole });
  t.after(async () => {
    await reflector.stop();
    client.close();
    await api.close();
  });
  reflector.start();
  const shows = async (...names: readonly string[]) => {
    await until(
      () => [...sink.names].sort((a, b) => (a < b ? -1 : 1)).join() === names.join(),
      () => `${[...sink.names]}`,
    );
  };
  return { sink, reflector, requests: api.requests, codes, lines, shows };
}

export const NO_POD = { host: undefined, port: undefined, root: '' };

/** Polls: nothing in here may depend on how fast the machine is. */
export async function until(isSo: () => boolean, text: () => string = () => ''): Promise<void> {
  for (let i = 0; i < 2000; i++) {
    if (isSo()) return;
    await delay(5);
  }
  assert.fail(`waited in vain: ${text()}`);
}

export const isFirstLoad = (request: string | undefined) => request?.includes('sendInitialEvents=true') ?? false;
export const versionOf = (request: string | undefined) => /resourceVersion=(\d+)/.exec(request ?? '')?.[1];
