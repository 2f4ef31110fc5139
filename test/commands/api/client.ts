// Asks an embedded API as a client would: whole answers, and watches line by line.

import { get, type IncomingMessage } from 'node:http';
import { until } from '../../e2e/support/child.ts';

export interface ApiEvent {
  readonly type: string;
  readonly object: ApiObject;
}

export interface ApiObject {
  readonly kind?: string;
  readonly code?: number;
  readonly message?: string;
  readonly reason?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

export interface ApiList extends ApiObject {
  readonly metadata: ApiObject['metadata'] & { readonly continue?: string; readonly remainingItemCount?: number };
  readonly items: readonly ApiObject[];
}

export async function listed(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: ApiList }> {
  const response = await fetch(url, { headers });
  return { status: response.status, body: (await response.json()) as ApiList };
}

export class Watching {
  readonly events: ApiEvent[] = [];
  isEnded: boolean = false;
  readonly #response: IncomingMessage;
  #rest = '';

  private constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) this.events.push(JSON.parse(line) as ApiEvent);
    });
    response.on('end', () => {
      this.isEnded = true;
    });
    response.on('error', () => {});
  }

  static async open(url: string): Promise<Watching> {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    get(url, { agent: false }, resolve).on('error', reject);
    return new Watching(await promise);
  }

  /** Reads nothing until resume(). */
  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#response.destroy();
  }

  async has(count: number): Promise<void> {
    await until(`${count} events`, 20_000, () => this.events.length >= count, 5);
  }

  async ended(): Promise<void> {
    await until('the end of the watch', 20_000, () => this.isEnded, 5);
  }
}
