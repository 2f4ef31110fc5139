// The real CoreDNS and wasmdns with the same Corefile, one scripted upstream each, doing the same steps at the same time.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratchDirectory, sleep, until } from '../support/child.ts';
import { compareReplies } from '../support/compare.ts';
import { type DnsClient, TcpClient, UdpClient } from '../support/dns-client.ts';
import { formatMessage, parseMessage } from '../support/message.ts';
import { FLAGS, TYPES } from '../support/numbers.ts';
import { freePort } from '../support/ports.ts';
import { composeQuery, type QueryForm } from '../support/query.ts';
import { type DnsServer, fillCorefile, httpGet, httpStatus, seatUnderTest, startServer } from '../support/server.ts';
import type { ProxyMode, TcpProxy } from '../support/tcp-proxy.ts';
import { Upstream } from '../support/upstream.ts';
import { compareLines, logLines } from './lines.ts';
import { comparePages, type Masks, readPage, type Sample } from './page.ts';

/** One server with what belongs to it. */
export interface Side {
  readonly server: DnsServer;
  upstream: Upstream;
  /** `@DIR@` of the Corefile. */
  readonly folder: string;
  /** `@CLOSED@`: a port where nobody listens. */
  readonly closed: number;
}

export interface AskOptions extends Partial<QueryForm> {
  readonly tcp?: boolean;
  readonly timeoutMs?: number;
}

export interface StageOptions {
  readonly corefile: string;
  /** Files in the folder of each side before the start. */
  readonly files?: Readonly<Record<string, string>>;
  readonly kubeconfig?: string;
  readonly isUnsynced?: boolean;
  /** The way to the API server. */
  readonly api?: TcpProxy;
}

const TTL_SLACK_SECONDS = 1;
let nextFolder = 0;
let nextId = 1000;

export class Stage {
  /** CoreDNS first. */
  readonly sides: readonly [Side, Side];
  readonly findings: string[] = [];
  /** The last pages of metrics. */
  lastPages: readonly [Sample[], Sample[]] = [[], []];
  private readonly options: StageOptions;
  private readonly clients = new Map<string, readonly [DnsClient, DnsClient]>();

  private constructor(sides: readonly [Side, Side], options: StageOptions) {
    this.sides = sides;
    this.options = options;
  }

  static async open(options: StageOptions): Promise<Stage> {
    const open = async (seat: 'coredns' | 'wasmdns'): Promise<Side> => {
      const folder = join(scratchDirectory(), `stage${nextFolder++}`);
      mkdirSync(folder);
      for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text);
      const upstream = await Upstream.start();
      const closed = await freePort();
      const server = await startServer(seat, options.corefile, {
        upstreamPort: upstream.port,
        words: { DIR: folder, CLOSED: closed },
        ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
        ...(options.isUnsynced === undefined ? {} : { isUnsynced: options.isUnsynced }),
      });
      return { server, upstream, folder, closed };
    };
    return new Stage(await Promise.all([open('coredns'), open(seatUnderTest)]), options);
  }

  async close(): Promise<void> {
    for (const pair of this.clients.values()) for (const client of pair) client.close();
    await Promise.all(this.sides.map(({ server }) => server.stop()));
    await Promise.all(this.sides.map(({ upstream }) => upstream.stop()));
  }

  /** Asks both the same; a difference in meaning is a finding. Returns CoreDNS's reply as text. */
  async ask(name: string, type: keyof typeof TYPES = 'A', options: AskOptions = {}): Promise<string> {
    const { tcp = false, timeoutMs = 7000, ...fields } = options;
    nextId = (nextId % 0xffff) + 1;
    const query = composeQuery({ id: nextId, name, type: TYPES[type]!, flags: FLAGS['rd']!, ...fields });
    const pair = this.pair(tcp);
    const replies = await Promise.all(pair.map((client) => client.exchange(query, timeoutMs)));
    const { differences } = compareReplies(replies[0], replies[1], { ttlSlackSeconds: TTL_SLACK_SECONDS });
    for (const difference of differences) this.findings.push(`${name} ${type}${tcp ? ' tcp' : ''}: ${difference}`);
    return replies[0] === undefined ? 'no reply' : formatMessage(parseMessage(replies[0]));
  }

  /** Several questions at the same time. */
  async askTogether(count: number, name: string, type: keyof typeof TYPES = 'A'): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.ask(name, type)));
  }

  async setApi(mode: ProxyMode): Promise<void> {
    await this.options.api?.setMode(mode);
  }

  async untilReady(): Promise<void> {
    for (const { server } of this.sides) {
      const isReady = async () => (await httpStatus(server.ports.ready, '/ready')) === 200;
      await until(`${server.seat} is ready`, 30_000, isReady, 100);
    }
  }

  wait(milliseconds: number): Promise<void> {
    return sleep(milliseconds);
  }

  /** Does something at both upstreams. */
  async upstreams(act: (side: Side) => void | Promise<void>): Promise<void> {
    await Promise.all(this.sides.map(async (side) => act(side)));
  }

  /** What the upstreams saw of these names since they were last compared, in order. */
  compareSeen(...names: readonly string[]): string[] {
    const wanted = new Set(names);
    const [left, right] = this.sides.map(({ upstream }) => upstream.takeSeen(wanted)) as [string[], string[]];
    if (left.join('\n') !== right.join('\n')) {
      this.findings.push(`the upstream saw of ${names.join(', ')}: ${left.join(' | ')} / ${right.join(' | ')}`);
    }
    return left;
  }

  write(name: string, text: string): void {
    for (const { folder } of this.sides) writeFileSync(join(folder, name), text);
  }

  /** A new Corefile in the place of the old one. */
  async rewriteCorefile(template: string): Promise<void> {
    for (const { server, upstream, folder, closed } of this.sides) {
      const { kubeconfig } = this.options;
      const options = { upstreamPort: upstream.port, words: { DIR: folder, CLOSED: closed } };
      const text = await fillCorefile(
        template,
        server.ports,
        kubeconfig === undefined ? options : { ...options, kubeconfig },
      );
      writeFileSync(server.corefilePath, text);
    }
  }

  /** Waits until both logs have a line like this, so often. */
  async logged(pattern: RegExp, count = 1, timeoutMs = 20_000): Promise<void> {
    const isThere = ({ server }: Side) => {
      const lines = server.child.output().split('\n');
      return lines.filter((line) => pattern.test(line)).length >= count;
    };
    for (const side of this.sides) {
      const what = `${side.server.seat} logs ${pattern} ${count} times`;
      await until(what, timeoutMs, () => isThere(side)).catch((error: Error) => this.findings.push(error.message));
    }
  }

  /** Status and body of GET at a port of both servers. */
  async compareHttp(port: 'health' | 'ready', path: string): Promise<string> {
    const answers = await Promise.all(
      this.sides.map(({ server }) =>
        httpGet(server.ports[port], path).then(
          ({ status, body }) => `${status} ${body}`,
          () => 'nobody listens',
        ),
      ),
    );
    if (answers[0] !== answers[1]) this.findings.push(`${path}: ${answers[0]} / ${answers[1]}`);
    return answers[0]!;
  }

  /** Both pages of metrics; differences are findings, once they have had the time to go away. */
  async compareMetrics(isDefined: (name: string) => boolean = () => true): Promise<readonly [Sample[], Sample[]]> {
    let pages = await this.pages();
    let differences = comparePages(...pages, isDefined);
    for (let n = 0; n < 4 && differences.length > 0; n++) {
      await sleep(250);
      pages = await this.pages();
      differences = comparePages(...pages, isDefined);
    }
    this.findings.push(...differences);
    this.lastPages = pages;
    return pages;
  }

  compareLogs(isWanted: (line: string) => boolean = () => true): string[] {
    const [left, right] = this.sides.map((side) => {
      return logLines(side.server.child.output(), masksOf(side)).filter(isWanted);
    }) as [string[], string[]];
    this.findings.push(...compareLines(left, right));
    return left;
  }

  private async pages(): Promise<readonly [Sample[], Sample[]]> {
    const read = async (side: Side) => {
      const { body } = await httpGet(side.server.ports.metrics, '/metrics');
      return readPage(body, masksOf(side));
    };
    return [await read(this.sides[0]), await read(this.sides[1])];
  }

  private pair(tcp: boolean): readonly [DnsClient, DnsClient] {
    const known = this.clients.get(String(tcp));
    if (known !== undefined) return known;
    const open = ({ server }: Side) => (tcp ? new TcpClient(server.port) : new UdpClient(server.port));
    const pair = [open(this.sides[0]), open(this.sides[1])] as const;
    this.clients.set(String(tcp), pair);
    return pair;
  }
}

function masksOf({ server, upstream, folder, closed }: Side): Masks {
  const ports = Object.entries(server.ports).map(([word, port]) => [`:${port}`, `:@${word.toUpperCase()}@`] as const);
  return [
    [`:${upstream.port}`, ':@UPSTREAM@'],
    [`:${closed}`, ':@CLOSED@'],
    [folder, '@DIR@'],
    [server.corefilePath, '@COREFILE@'],
    ...ports,
  ];
}
