/** What one run of the generator is told (one JSON object on its command line) and what it answers (one on stdout). */

export interface Order {
  /** closed: as many as the server takes · paced: a fixed rate, latency · tcp: pipelined · reconnect: one query each */
  readonly mode: 'closed' | 'paced' | 'tcp' | 'reconnect';
  readonly port: number;
  readonly file: string;
  readonly warmSeconds: number;
  readonly seconds: number;
  /** Queries in flight on one socket or connection. */
  readonly window: number;
  /** UDP sockets or TCP connections. */
  readonly sockets: number;
  /** Queries a second, `paced` only. */
  readonly rate: number;
  /** The server's processes: their CPU time is read at both ends of the measured span. */
  readonly serverPids: readonly number[];
  /** The other side only sets QR: replies are expected without answers. */
  readonly isEcho: boolean;
  /** Another process needs this core too (the upstream): sleep between paced queries instead of spinning. */
  readonly isCoreShared: boolean;
}

export interface Latency {
  readonly p50Micros: number;
  readonly p99Micros: number;
  readonly meanMicros: number;
  readonly maxMicros: number;
}

export interface Outcome {
  readonly seconds: number;
  readonly sent: number;
  readonly received: number;
  /** Replies that are the expected answer: the only ones that count as throughput. */
  readonly right: number;
  readonly wrong: number;
  readonly stray: number;
  readonly lost: number;
  /** `right` a second. */
  readonly qps: number;
  /** User and system time of the server process in the measured span. */
  readonly serverCpuSeconds: number;
  /** The generator's own: near `seconds` means that it was the limit, or that it span. */
  readonly loadCpuSeconds: number;
  readonly rcodes: Readonly<Record<string, number>>;
  readonly firstWrong: string;
  readonly latency?: Latency;
}
