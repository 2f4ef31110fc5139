// What a sender is told (one JSON object on its command line) and what it prints (one JSON object).

/** Datagrams of one kind, sent at a fixed rate whatever comes back. */
export interface Lane {
  readonly name: string;
  readonly port: number;
  readonly sockets: number;
  /** Datagrams a second. */
  readonly rate: number;
  /** A query file of the bench (bench/load/questions.ts), or a kind of garbage. */
  readonly file?: string;
  /** random: any octets · cut: a query that ends within its name · replies: QR=1 */
  readonly garbage?: 'random' | 'cut' | 'replies';
  /** The questions are of one length: they leave by the batch, and the kernel cuts it up. More than a server can take. */
  readonly isJoined?: boolean;
}

export interface Order {
  readonly lanes: readonly Lane[];
  readonly seconds: number;
  /** How long replies are waited for behind the last query; ends earlier when all are there. */
  readonly lingerSeconds: number;
}

export interface LaneOutcome {
  readonly name: string;
  readonly sent: number;
  /** Replies to something that was sent, each once. */
  readonly answered: number;
  /** Of those, as the query file promises. */
  readonly right: number;
  /** Right ones that came while the sender was sending. */
  readonly rightInTime: number;
  /** Replies to nothing: a second one, or to an id that was not sent. */
  readonly stray: number;
  readonly rcodes: Readonly<Record<string, number>>;
  readonly firstWrong: string;
  /** Of right replies, in milliseconds, from the sending of the query; 0 if there are none. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Of all replies. */
  readonly slowestMs: number;
}

export interface Outcome {
  /** Of sending. */
  readonly seconds: number;
  /** How long the sender has waited for its core, in milliseconds. */
  readonly waitedMs: number;
  readonly lanes: readonly LaneOutcome[];
}
