// A node, in this process's network namespace: a pod and the cluster's DNS server in namespaces of their own, and in between
// what kube-proxy makes of the services kube-dns and kube-dns-upstream.

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ask } from '../support/ask.ts';
import { Child, scratchDirectory, until } from '../support/child.ts';
import { UdpClient } from '../support/dns-client.ts';
import { repository } from '../support/tools.ts';

export const LOCAL = '169.254.20.10';
export const KUBE_DNS = '10.96.0.10';
export const UPSTREAM_SERVICE = '10.96.0.11';
const CLUSTER_DNS = '10.244.1.2';
/** What the node's own server says to `who.example.`, and what the cluster's says. */
export const BY_NODE = 'NOERROR 192.0.2.10';
export const BY_CLUSTER = 'NOERROR 192.0.2.99';
export const NOBODY = 'silence';

const PROGRAM = join(repository, 'dist/wasmdns.js');
const answering = (address: string): string => `template IN A example {
        answer "{{ .Name }} 60 IN A ${address}"
    }`;

/** One that needs no other server. */
export const OWN_COREFILE = `.:53 {
    errors
    log
    bind __PILLAR__LOCAL__DNS__
    ${answering('192.0.2.10')}
    prometheus ${LOCAL}:9253
    health ${LOCAL}:8080
}
`;

export interface Asked {
  readonly atMs: number;
  readonly answer: string;
}

export type Way = 'fresh' | 'pinned' | 'tcp';

/** For two addresses. */
export const IPTABLES_RULES = 24;

/** A network namespace that lives as long as its process. */
class Namespace {
  readonly #holder: Child;
  readonly #name: string;
  readonly #node: readonly string[];
  readonly #inside: readonly string[];

  /** @param node what `ip` is told here, `inside`: and there, where the other end is eth0 */
  constructor(name: string, node: readonly string[], inside: readonly string[]) {
    this.#holder = new Child(`netns-${name}`, 'unshare', ['--net', 'sleep', 'infinity']);
    this.#name = name;
    this.#node = node;
    this.#inside = inside;
  }

  configure(): void {
    const { pid } = this.#holder;
    // Until unshare has made one it has ours
    const deadline = Date.now() + 10_000;
    while (run('readlink', `/proc/${pid}/ns/net`) === run('readlink', '/proc/self/ns/net')) {
      if (Date.now() > deadline) throw new Error(`no network namespace for ${this.#name}`);
    }
    run('ip', 'link', 'add', this.#name, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(pid));
    for (const line of this.#node) run('ip', ...line.split(' '));
    for (const line of ['link set lo up', ...this.#inside]) run(...this.words('ip', ...line.split(' ')));
  }

  /** A command, to be run in it. */
  words(...command: readonly string[]): [string, ...string[]] {
    return ['nsenter', `--net=/proc/${this.#holder.pid}/ns/net`, ...command];
  }

  end(): Promise<unknown> {
    return this.#holder.stop();
  }
}

export class Node {
  readonly #namespaces: Namespace[] = [];
  #clusterDns: Child | undefined;

  async start(): Promise<void> {
    const dnsPod = this.#add(
      new Namespace(
        'pod1',
        ['address add 10.244.1.1/24 dev pod1', 'link set pod1 up'],
        ['address add 10.244.1.2/24 dev eth0', 'link set eth0 up', 'route add default via 10.244.1.1'],
      ),
    );
    this.#add(
      new Namespace(
        'pod0',
        ['address add 10.244.0.1/24 dev pod0', 'address add fd00:244::1/64 dev pod0 nodad', 'link set pod0 up'],
        [
          'address add 10.244.0.2/24 dev eth0',
          'address add fd00:244::2/64 dev eth0 nodad',
          'link set eth0 up',
          'route add default via 10.244.0.1',
          '-6 route add default via fd00:244::1',
        ],
      ),
    );
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    nft(kubeProxy);
    const corefile = write('Corefile.cluster', `.:53 {\n    log\n    ${answering('192.0.2.99')}\n    whoami\n}\n`);
    const [command, ...words] = dnsPod.words(process.execPath, PROGRAM, '-conf', corefile, '-shards', '1');
    this.#clusterDns = new Child('cluster-dns', command, words);
    await until('the cluster has DNS', 30_000, async () => (await this.askFromNode(KUBE_DNS)) === BY_CLUSTER, 100);
  }

  /** Log lines of the cluster's DNS server. */
  clusterLog(): string {
    return this.#clusterDns!.output();
  }

  get #pod(): Namespace {
    return this.#namespaces[1]!;
  }

  #add(namespace: Namespace): Namespace {
    this.#namespaces.push(namespace);
    namespace.configure();
    return namespace;
  }

  /** Asks from the pod for who.example., or another name. */
  async ask(address: string, way: Way = 'fresh', name = 'who.example.'): Promise<string> {
    const [asked] = await this.keepAsking(address, { count: 1, way, name }).end;
    return asked?.answer ?? 'no client';
  }

  /** As a pod in the node's network asks. */
  async askFromNode(address: string): Promise<string> {
    const client = new UdpClient(53, address);
    try {
      return await ask(client, 'who.example.', 'A', 500);
    } finally {
      client.close();
    }
  }

  /** Asks from the pod in even steps. */
  keepAsking(
    address: string,
    options: { readonly count: number; readonly intervalMs?: number; readonly way?: Way; readonly name?: string },
  ): { readonly end: Promise<Asked[]>; soFar(): Asked[] } {
    const { count, intervalMs = 20, way = 'fresh', name = 'who.example.' } = options;
    const file = join(repository, 'test/e2e/nodelocal/pod-client.ts');
    const words = [address, name, String(count), String(intervalMs), way];
    const [command, ...args] = this.#pod.words(process.execPath, file, ...words);
    const child = new Child(`client-${way}`, command, args);
    const soFar = () => askedOf(child.output());
    const end = child.exited.then(({ code }) => {
      const asked = soFar();
      if (code !== 0 || asked.length !== count) throw new Error(`the client failed:\n${child.output()}`);
      return asked.sort((a, b) => a.atMs - b.atMs);
    });
    return { end, soFar };
  }

  async stop(): Promise<void> {
    await this.#clusterDns?.stop();
    await Promise.all(this.#namespaces.map((each) => each.end()));
  }
}

export interface NodeCacheOptions {
  readonly args?: readonly string[];
  readonly addresses?: string;
  readonly template?: string;
  /** The words of a command that runs it in its place. */
  readonly under?: readonly string[];
}

/** Our node-cache, from the words of its DaemonSet. */
export class NodeCache {
  readonly child: Child;
  readonly corefile: string;
  readonly template: string;

  private constructor(options: NodeCacheOptions) {
    const { args = [], addresses = `${LOCAL},${KUBE_DNS}`, template = OWN_COREFILE, under = [] } = options;
    this.template = write('Corefile.base', template);
    this.corefile = join(scratchDirectory(), 'Corefile.node');
    const words = ['-localip', addresses, '-conf', this.corefile, '-upstreamsvc', 'kube-dns-upstream'];
    const more = ['-basecorefile', this.template, '-shards', '1', ...args];
    const [command, ...rest] = [...under, process.execPath, PROGRAM, ...words, ...more];
    const env = { KUBE_DNS_UPSTREAM_SERVICE_HOST: UPSTREAM_SERVICE };
    this.child = new Child('node-cache', command!, rest, { env });
  }

  /** Resolves when it has taken the queries over. */
  static async start(options: NodeCacheOptions = {}): Promise<NodeCache> {
    const cache = new NodeCache(options);
    const hasRules = !options.args?.some((word) => word === '-rules=none' || word === '-setupiptables=false');
    const sign = hasRules ? /^\[INFO\] Added back nodelocaldns rule/gm : /^linux\//gm;
    // iptables is told one by one
    const signs = options.args?.join(' ').includes('-rules=iptables') ? IPTABLES_RULES : 1;
    await until('node-cache serves', 30_000, () => {
      if (cache.child.hasExited) throw new Error(`node-cache has exited:\n${cache.child.output()}`);
      return cache.child.output().match(sign)?.length === signs;
    });
    return cache;
  }

  /** By SIGTERM; returns the exit code. */
  async end(): Promise<number | null> {
    this.child.kill('SIGTERM');
    return (await this.child.exited).code;
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.child.exited;
  }
}

/** What -interfacekind=dummy makes here: this kernel may have no dummy. */
export function idleKind(): string {
  const { status } = spawnSync('ip', ['link', 'add', 'probe', 'type', 'dummy']);
  if (status !== 0) return 'bridge';
  run('ip', 'link', 'delete', 'probe');
  return 'dummy';
}

/** Kind and addresses of an interface; undefined: there is none. */
export function link(
  name = 'nodelocaldns',
): { readonly kind: string; readonly addresses: readonly string[] } | undefined {
  const found = spawnSync('ip', ['-details', '-json', 'address', 'show', 'dev', name], { encoding: 'utf8' });
  if (found.status !== 0) return undefined;
  const [shown] = JSON.parse(found.stdout) as [
    { linkinfo?: { info_kind: string }; addr_info: readonly { local: string; prefixlen: number }[] },
  ];
  const addresses = shown.addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  return { kind: shown.linkinfo?.info_kind ?? '', addresses };
}

/** Counted packets and octets of the rules in our table, by rule. */
export function tableRules(family = 'ip'): readonly { readonly rule: string; readonly queries: number }[] {
  const found = spawnSync('nft', ['list', 'table', family, 'wasmdns-node-cache'], { encoding: 'utf8' });
  if (found.status !== 0) return [];
  return [...found.stdout.matchAll(/^\s+(ip6? .*) counter packets (\d+) bytes \d+ notrack$/gm)].map(
    ([, rule, queries]) => ({ rule: rule!, queries: Number(queries) }),
  );
}

/** The rules of iptables that bear node-cache's comment. */
export function iptablesRules(): readonly string[] {
  return ['raw', 'filter'].flatMap((table) =>
    run('iptables', '-t', table, '-S')
      .split('\n')
      .filter((line) => line.includes('NodeLocal DNS Cache')),
  );
}

/** Counts queries of the pod by what the tracking of connections makes of them. */
export function watchTracking(): () => { readonly tracked: number; readonly untracked: number } {
  spawnSync('nft', ['delete', 'table', 'ip', 'watch']);
  const query = `iifname pod0 ip daddr { ${LOCAL}, ${KUBE_DNS} } th dport 53`;
  nft(`table ip watch {
    chain queries {
      type filter hook prerouting priority -150;
      ${query} ct state untracked counter comment untracked
      ${query} ct state != untracked counter comment tracked
    }
  }`);
  return () => {
    const text = run('nft', 'list', 'table', 'ip', 'watch');
    const count = (word: string) => Number(new RegExp(`packets (\\d+) bytes \\d+ comment "${word}"`).exec(text)![1]);
    return { tracked: count('tracked'), untracked: count('untracked') };
  };
}

export function nft(text: string): void {
  execFileSync('nft', ['-f', '-'], { input: text });
}

export function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}

export function write(name: string, text: string): string {
  const path = join(scratchDirectory(), name);
  writeFileSync(path, text);
  return path;
}

function askedOf(output: string): Asked[] {
  return [...output.matchAll(/^(\d+) (.*)$/gm)].map(([, at, answer]) => ({ atMs: Number(at), answer: answer! }));
}

const dnat = `ip daddr { ${KUBE_DNS}, ${UPSTREAM_SERVICE} } meta l4proto { udp, tcp } th dport 53 dnat to ${CLUSTER_DNS}:53`;
/** Its rules for both services. */
export const kubeProxy = `table ip kube-proxy {
  chain prerouting { type nat hook prerouting priority dstnat; ${dnat}; }
  chain output { type nat hook output priority -100; ${dnat}; }
}`;
