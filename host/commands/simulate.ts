// wasmdns simulate: an API server of a cluster that does not exist, for load. With -serve the server runs in this process
// and the API in a child, so that what one sees of the server's memory and CPU is the server's.

import { spawn } from 'node:child_process';
import { closeSync, openSync, writeSync } from 'node:fs';
import { getSystemErrorMessage } from 'node:util';
import { UserError } from '../errors.ts';
import { stdoutLog } from '../log.ts';
import { type Api, listenApi } from './api/api.ts';
import { ADDRESS, pagesHint, serveEmbedded } from './embedded-server.ts';
import type { ServeOptions } from './serve.ts';
import { parseSimulateArguments, type SimulateArguments } from './simulate/arguments.ts';
import { Churn } from './simulate/churn.ts';
import { SimulatedCluster } from './simulate/cluster.ts';
import { ownerOf, QUESTIONS, questions } from './simulate/questions.ts';
import { Shape } from './simulate/shape.ts';

export interface SimulateOptions extends Pick<ServeOptions, 'version' | 'exit'> {
  readonly argv: readonly string[];
  /** This program's file, for the child. */
  readonly program: string;
  /** Called where the server runs. */
  limitFootprint(): void;
}

const BOOKMARK_MS = 60_000;

/** Throws UserError and UsageError. */
export async function simulate(options: SimulateOptions): Promise<void> {
  const settings = parseSimulateArguments(options.argv);
  const shape = new Shape(settings.shape);
  if (process.send === undefined && settings.queries !== undefined) writeQuestions(settings.queries, shape);
  if (settings.isServing) {
    options.limitFootprint();
    const api = await startChild(options);
    await serveEmbedded({
      ...options,
      ...settings,
      name: 'simulate',
      api,
      shardCount: settings.shards,
      hints: (ports) => [...summary(settings, shape, api), ...hints(settings, shape, ports.dns), pagesHint(ports)],
    });
    return;
  }
  const { url } = await startApi(settings, shape);
  if (process.send !== undefined) reportToParent(url, options);
  else {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => options.exit(0));
    if (settings.isQuiet) return;
    const log = stdoutLog();
    const lines = [...summary(settings, shape, url), ...corefile(url, settings.dnsPort)];
    for (const line of [...lines, ...hints(settings, shape, settings.dnsPort)]) log.plain(line);
  }
}

async function startApi(settings: SimulateArguments, shape: Shape): Promise<Api> {
  // Versions of an earlier run are below: its clients are told to list anew.
  const cluster = new SimulatedCluster(shape, settings.historyChanges, Date.now());
  const { address, port, hasWatchList, changesPerSecond } = settings;
  try {
    const api = await listenApi(cluster, { address, port, hasWatchList, bookmarkMs: BOOKMARK_MS });
    if (changesPerSecond > 0) new Churn(cluster, settings.shape.seed).start(changesPerSecond);
    return api;
  } catch (error) {
    throw new UserError(`-listen: listen tcp ${address}:${port}: ${reason(error)}`);
  }
}

/** The child ends with this process, whatever becomes of it. Resolves with the URL of its API. */
function startChild({ argv, program, exit }: SimulateOptions): Promise<string> {
  const own = argv.some((word) => /^--?listen\b/.test(word)) ? [] : ['-listen=127.0.0.1:0'];
  // An executable that has the program in it takes no file's name.
  const file = program === process.execPath ? [] : [...process.execArgv, program];
  const child = spawn(process.execPath, [...file, 'simulate', ...own, ...argv, '-serve=false'], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const { promise, resolve } = Promise.withResolvers<string>();
  child.once('message', (url: string) => {
    resolve(url);
    child.removeAllListeners('exit');
    child.once('exit', () => stdoutLog().error('simulate: the API has ended'));
  });
  // It has said why.
  child.once('exit', () => exit(1));
  return promise;
}

function reportToParent(url: string, { exit }: SimulateOptions): void {
  // Those of a terminal are for both, and the parent has work left to do.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
  process.once('disconnect', () => exit(0));
  process.send!(url);
}

function writeQuestions(file: string, shape: Shape): void {
  try {
    const descriptor = openSync(file, 'w');
    let text = '';
    for (const question of questions(shape, QUESTIONS)) text += `${question}\n`;
    writeSync(descriptor, text);
    closeSync(descriptor);
  } catch (error) {
    throw new UserError(`-queries: open ${file}: ${reason(error)}`);
  }
}

function reason(error: unknown): string {
  const { errno, message } = error as NodeJS.ErrnoException;
  return errno === undefined ? message : getSystemErrorMessage(errno);
}

function summary({ shape: options, changesPerSecond }: SimulateArguments, shape: Shape, url: string): string[] {
  const { services, endpoints, namespaces, seed } = options;
  const size = `${services} services with ${endpoints} endpoints in ${namespaces} namespaces on ${shape.nodes} nodes`;
  return ['', `Simulating ${size}, ${changesPerSecond} changes a second, seed ${seed}: ${url}`];
}

function corefile(url: string, port: number): string[] {
  return [
    'A Corefile for it',
    `  .:${port} {`,
    '     kubernetes cluster.local in-addr.arpa ip6.arpa {',
    `        endpoint ${url}`,
    '     }',
    '     prometheus',
    '     ready',
    '  }',
  ];
}

function hints({ queries, shape: { headlessPercent } }: SimulateArguments, shape: Shape, port: number): string[] {
  const dig = `  dig @${ADDRESS} -p ${port}`;
  const find = (isWanted: (number: number) => boolean) => {
    const middle = shape.count >> 1;
    for (let number = middle; number < shape.count; number++) if (isWanted(number)) return number;
    return middle;
  };
  const plain = find((number) => shape.kindOf(number) === 'clusterIP');
  const headless = find((number) => shape.hasHostnames(number) && shape.endpointsOf(number) > 1);
  return [
    'Try',
    `${dig} kubernetes.default.svc.cluster.local`,
    `${dig} ${ownerOf(shape, plain)}`,
    `${dig} -x ${shape.clusterIp(plain, 0)}`,
    ...(headlessPercent > 0 ? [`${dig} _http._tcp.${ownerOf(shape, headless)} SRV`] : []),
    queries === undefined
      ? '  with -queries FILE: questions for dnsperf'
      : `  dnsperf -s ${ADDRESS} -p ${port} -d ${queries} -l 10 -c 16`,
  ];
}
