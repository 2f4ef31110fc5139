// The HTTP server behind /ready. Two configurations live at the same time during a reload: the older one is asked until
// it is withdrawn, so a reload that takes its time does not make a serving process look unready.

import type { AddressInfo } from 'node:net';
import type { Log } from '../../log.ts';
import type { Readiness, Stoppable } from '../../plugin/contract.ts';
import { HttpEndpoint, type HttpReply, type ListenAddress } from '../../plugin/http-endpoint.ts';

/** What one configuration knows. */
export interface ReadinessSource {
  /** Plugins that have an opinion, by name. */
  read(): ReadonlyMap<string, Readiness>;
  isContinuous(): boolean;
}

interface Asked extends ReadinessSource {
  /** Plugins that were ready once. */
  readonly seen: Set<string>;
}

export class ReadyEndpoint implements Stoppable {
  readonly #http: HttpEndpoint;
  readonly #log: Log;
  readonly #sources: Asked[] = [];

  constructor(at: ListenAddress, log: Log) {
    this.#log = log;
    this.#http = new HttpEndpoint(
      at,
      '/ready',
      () => this.#answer(),
      (text) => log.error(text),
    );
  }

  listening(): Promise<AddressInfo> {
    return this.#http.listening();
  }

  /** Returns what withdraws the source; doing so twice is harmless. */
  answerWith(source: ReadinessSource): () => void {
    const asked = { ...source, seen: new Set<string>() };
    this.#sources.push(asked);
    return () => {
      const at = this.#sources.indexOf(asked);
      if (at >= 0) this.#sources.splice(at, 1);
    };
  }

  stop(): Promise<void> {
    return this.#http.stop();
  }

  #answer(): HttpReply {
    const source = this.#sources[0];
    if (source === undefined) return { status: 503, body: 'Shutting down' };
    const states = [...source.read()];
    const unready = states.filter(([name, state]) => state === 'failed' || (!state && !source.seen.has(name)));
    if (!source.isContinuous()) {
      for (const [name, state] of states) if (state === true) source.seen.add(name);
    }
    if (unready.length === 0) return { status: 200, body: 'OK' };
    const names = unready
      .map(([name]) => name)
      .sort((a, b) => (a < b ? -1 : 1))
      .join(',');
    this.#log.info(`Plugins not ready: "${names}"`);
    return { status: 503, body: names };
  }
}
