// The HTTP server behind /health and its own client: the process asks itself once a second, so that an overloaded event
// loop shows in the metrics before anybody else notices.

import { Agent, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '../../clock.ts';
import type { Log } from '../../log.ts';
import type { Metrics } from '../../metrics/registry.ts';
import type { Stoppable } from '../../plugin/contract.ts';
import { durationText } from '../../plugin/duration-text.ts';
import { HttpEndpoint, type ListenAddress } from '../../plugin/http-endpoint.ts';

const PATH = '/health';
const POLL_MS = 1000;
const POLL_TIMEOUT_MS = 3000;
/** A request to ourselves that takes longer is worth a warning. */
const SLOW_MS = 1000;
/** Seconds (CoreDNS SlimTimeBuckets). */
const BOUNDS = [0.00025, 0.0025, 0.025, 0.25, 2.5];

export class HealthEndpoint implements Stoppable {
  readonly #http: HttpEndpoint;
  readonly #log: Log;
  readonly #metrics: Metrics;
  readonly #clock: Clock;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #stopping = new AbortController();
  readonly #url: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(at: ListenAddress, log: Log, metrics: Metrics, clock: Clock = systemClock) {
    this.#log = log;
    this.#metrics = metrics;
    this.#clock = clock;
    const name = at.address.includes(':') ? `[${at.address}]` : at.address;
    this.#url = `http://${name}:${at.port}${PATH}`;
    const answer = () => ({ status: 200, body: 'OK' });
    this.#http = new HttpEndpoint(at, PATH, answer, (text) => log.error(text));
    this.#http.listening().then(
      (bound) => this.#startPolling(bound),
      () => {},
    );
  }

  listening(): Promise<AddressInfo> {
    return this.#http.listening();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    this.#agent.destroy();
    await this.#http.stop();
  }

  #startPolling(bound: AddressInfo): void {
    const duration = this.#metrics.histogram(
      'coredns_health_request_duration_seconds',
      'Histogram of the time (in seconds) each request took.',
      {},
      BOUNDS,
    );
    const failures = this.#metrics.counter(
      'coredns_health_request_failures_total',
      'The number of times the health check failed.',
      {},
    );
    const poll = async () => {
      const startedAt = this.#clock.now();
      const error = await this.#ask(bound);
      if (this.#stopping.signal.aborted) return;
      const elapsedMs = this.#clock.now() - startedAt;
      this.#metrics.slots.observe(duration, BOUNDS, elapsedMs / 1000);
      if (error !== undefined) {
        this.#metrics.slots.add(failures, 1);
        this.#log.warning(`Local health request to "${this.#url}" failed: ${error}`);
      } else if (elapsedMs > SLOW_MS) {
        this.#log.warning(`Local health request to "${this.#url}" took more than 1s: ${durationText(elapsedMs)}`);
      }
      schedule(Math.max(0, POLL_MS - elapsedMs));
    };
    const schedule = (afterMs: number) => {
      if (this.#stopping.signal.aborted) return;
      this.#timer = setTimeout(() => void poll(), afterMs);
    };
    schedule(POLL_MS);
  }

  /** One request; the text says what went wrong. Never rejects. */
  #ask(bound: AddressInfo): Promise<string | undefined> {
    const isWildcard = bound.address === '::' || bound.address === '0.0.0.0';
    const host = isWildcard ? '127.0.0.1' : bound.address;
    const signal = AbortSignal.any([this.#stopping.signal, AbortSignal.timeout(POLL_TIMEOUT_MS)]);
    return new Promise((resolve) => {
      const request = get({ host, port: bound.port, path: PATH, agent: this.#agent, signal }, (response) => {
        response.on('end', () => resolve(undefined));
        response.on('error', (error) => resolve(error.message));
        response.resume();
      });
      request.on('error', (error) => {
        // The reason of an aborted request says more than its error.
        const reason = signal.aborted ? `no answer within ${durationText(POLL_TIMEOUT_MS)}` : error.message;
        resolve(`Get "${this.#url}": ${reason}`);
      });
    });
  }
}
