// A real etcd and a real kube-apiserver on loopback: token authentication, RBAC, both address families.

import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { ApiClient, type KubernetesObject } from './api-client.ts';
import { Child, scratchDirectory, until } from './child.ts';
import { freePort } from './ports.ts';
import { toolPath } from './tools.ts';

export const ADMIN_TOKEN = 'admin-token';
/** May list and watch what a DNS server needs, and nothing else. */
export const DNS_TOKEN = 'dns-token';

export class ControlPlane {
  readonly api: ApiClient;
  readonly port: number;
  private readonly etcdPort: number;
  private etcdPeerPort = 0;
  private readonly directory: string;
  private readonly more: readonly string[];
  private etcd!: Child;
  private apiserver!: Child;

  private constructor(directory: string, port: number, etcdPort: number, more: readonly string[]) {
    this.directory = directory;
    this.more = more;
    this.port = port;
    this.etcdPort = etcdPort;
    this.api = new ApiClient(port, ADMIN_TOKEN);
  }

  /** @param more arguments of the API server. */
  static async start(more: readonly string[] = []): Promise<ControlPlane> {
    const directory = mkdtempSync(join(scratchDirectory(), 'control-plane-'));
    const plane = new ControlPlane(directory, await freePort(), await freePort(), more);
    execFileSync('openssl', ['genrsa', '-out', join(directory, 'sa.key'), '2048'], { stdio: 'ignore' });
    plane.makeClientCertificate();
    const tokens = `${ADMIN_TOKEN},admin,admin,system:masters\n${DNS_TOKEN},dns,dns\n`;
    writeFileSync(join(directory, 'tokens.csv'), tokens);
    plane.etcdPeerPort = await freePort();
    plane.startEtcd();
    await plane.startApiServer();
    copyFileSync(join(directory, 'certs', 'apiserver.crt'), join(plane.certificates, 'ca.crt'));
    await plane.grantDnsRole();
    return plane;
  }

  /** Stops the API server without grace; etcd keeps the objects. */
  async stopApiServer(): Promise<void> {
    this.apiserver.kill('SIGKILL');
    await this.apiserver.exited;
  }

  async startApiServer(): Promise<void> {
    this.apiserver = new Child('kube-apiserver', toolPath('kube-apiserver'), [
      `--etcd-servers=http://127.0.0.1:${this.etcdPort}`,
      `--cert-dir=${join(this.directory, 'certs')}`,
      `--secure-port=${this.port}`,
      '--bind-address=127.0.0.1',
      // No endpoint of default/kubernetes: which service is "the DNS service" is then decided by the tests alone.
      '--endpoint-reconciler-type=none',
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${join(this.directory, 'sa.key')}`,
      `--service-account-signing-key-file=${join(this.directory, 'sa.key')}`,
      '--authorization-mode=RBAC',
      `--token-auth-file=${join(this.directory, 'tokens.csv')}`,
      `--client-ca-file=${join(this.directory, 'client-ca.crt')}`,
      '--service-cluster-ip-range=10.96.0.0/12,fd00:10:96::/108',
      '--disable-admission-plugins=ServiceAccount',
      // One client that loads a whole cluster is no flood.
      '--enable-priority-and-fairness=false',
      '--max-requests-inflight=2000',
      '--max-mutating-requests-inflight=1000',
      ...this.more,
    ]);
    await until(
      'kube-apiserver is ready',
      60_000,
      async () => {
        if (this.apiserver.hasExited)
          throw new Error(`kube-apiserver has exited:\n${this.apiserver.output().slice(-2000)}`);
        return this.api.get('/readyz').then(
          () => true,
          () => false,
        );
      },
      100,
    );
    await until('default/kubernetes exists', 20_000, () =>
      this.api.get('/api/v1/namespaces/default/services/kubernetes').then(
        () => true,
        () => false,
      ),
    );
  }

  /** Installs the multicluster API, as far as a DNS server reads it. */
  async defineServiceImports(): Promise<void> {
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    await this.api.create({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: {
        name: 'serviceimports.multicluster.x-k8s.io',
        // The API server asks where a group below k8s.io was agreed on.
        annotations: { 'api-approved.kubernetes.io': 'https://github.com/kubernetes/enhancements/issues/1645' },
      },
      spec: {
        group: 'multicluster.x-k8s.io',
        scope: 'Namespaced',
        names: { plural: 'serviceimports', singular: 'serviceimport', kind: 'ServiceImport' },
        versions: [{ name: 'v1alpha1', served: true, storage: true, schema }],
      },
    });
    await until('ServiceImports are served', 20_000, () =>
      this.api.get('/apis/multicluster.x-k8s.io/v1alpha1/serviceimports').then(
        () => true,
        () => false,
      ),
    );
  }

  /** Creates the objects, and the API that they need. */
  async createObjects(objects: readonly KubernetesObject[]): Promise<void> {
    if (objects.some(({ kind }) => kind === 'ServiceImport')) await this.defineServiceImports();
    await this.api.createAll(objects);
  }

  /** Forgets all revisions before the present one: older watches get 410 Gone. */
  async compact(): Promise<void> {
    const status = (await this.etcdCall('/v3/maintenance/status', {})) as { header: { revision: string } };
    await this.etcdCall('/v3/kv/compaction', { revision: status.header.revision, physical: true });
  }

  /** Copies etcd's data, for which it stops for a moment. Returns a name for restore(). */
  async backup(): Promise<string> {
    const copy = mkdtempSync(join(this.directory, 'backup-'));
    await this.etcd.stop();
    cpSync(this.data, copy, { recursive: true });
    this.startEtcd();
    const isBack = () =>
      this.api.get('/readyz').then(
        () => true,
        () => false,
      );
    await until('etcd is back', 20_000, isBack, 50);
    return copy;
  }

  /** Puts the data of a backup in place of the present ones: all that came later is undone, versions included. */
  async restore(copy: string): Promise<void> {
    await this.stopApiServer();
    await this.etcd.stop(0);
    rmSync(this.data, { recursive: true });
    cpSync(copy, this.data, { recursive: true });
    rmSync(copy, { recursive: true });
    this.startEtcd();
    await this.startApiServer();
  }

  private get data(): string {
    return join(this.directory, 'etcd');
  }

  /**
   * Puts keys and values of etcd behind the API server's back, many at once: the only way to fill a big cluster in
   * seconds. Values are objects as the API server would store them, but in JSON, which it reads as well.
   */
  async store(entries: readonly { readonly key: string; readonly value: string }[]): Promise<void> {
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    const success = entries.map(({ key, value }) => ({ requestPut: { key: base64(key), value: base64(value) } }));
    await this.etcdCall('/v3/kv/txn', { success });
  }

  /** Processes of the control plane: etcd, and the API server of the moment. */
  get pids(): readonly number[] {
    return [this.etcd.pid, this.apiserver.pid];
  }

  /** A kubeconfig with the DNS server's token, for this API server or for a proxy on another port. */
  writeKubeconfig(options: { port?: number; token?: string } = {}): string {
    mkdirSync(this.directory, { recursive: true });
    const path = join(mkdtempSync(join(this.directory, 'kubeconfig-')), 'kubeconfig');
    writeFileSync(path, kubeconfig(`https://127.0.0.1:${options.port ?? this.port}`, options.token ?? DNS_TOKEN));
    return path;
  }

  /** Directory of `client.crt`, `client.key` (the DNS server's) and `ca.crt` (of the API server). */
  get certificates(): string {
    return join(this.directory, 'certificates');
  }

  async stop(): Promise<void> {
    this.api.close();
    await Promise.all([this.apiserver, this.etcd].map((child) => child.stop(200)));
  }

  private startEtcd(): void {
    const client = `http://127.0.0.1:${this.etcdPort}`;
    const peer = `http://127.0.0.1:${this.etcdPeerPort}`;
    this.etcd = new Child('etcd', toolPath('etcd'), [
      ...['--data-dir', this.data, '--unsafe-no-fsync', '--log-level', 'error'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
    ]);
  }

  /** An authority for clients, and a certificate of the DNS server that it signed. */
  private makeClientCertificate(): void {
    mkdirSync(this.certificates);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore', cwd: this.certificates });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30'];
    const authority = ['-keyout', '../client-ca.key', '-out', '../client-ca.crt'];
    openssl('req', '-x509', ...key, ...authority, '-subj', '/CN=clients');
    const signed = ['-CA', '../client-ca.crt', '-CAkey', '../client-ca.key'];
    openssl('req', '-x509', ...key, ...signed, '-keyout', 'client.key', '-out', 'client.crt', '-subj', '/CN=dns');
  }

  private async grantDnsRole(): Promise<void> {
    const rules = [
      { apiGroups: [''], resources: ['services', 'namespaces', 'pods'], verbs: ['list', 'watch'] },
      { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list', 'watch'] },
      { apiGroups: ['multicluster.x-k8s.io'], resources: ['serviceimports'], verbs: ['list', 'watch'] },
    ];
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'dns' };
    const subjects = [{ kind: 'User', name: 'dns', apiGroup: 'rbac.authorization.k8s.io' }];
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    const metadata = { name: 'dns' };
    await this.api.createAll([
      { apiVersion, kind: 'ClusterRole', metadata, rules },
      { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef, subjects },
    ]);
  }

  private etcdCall(path: string, body: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: this.etcdPort, method: 'POST', path }, (response) => {
        let text = '';
        response.on('data', (part: Buffer) => {
          text += part.toString();
        });
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(`etcd ${path}: ${response.statusCode} ${text}`));
        });
      });
      sent.on('error', reject);
      sent.end(JSON.stringify(body));
    });
  }
}

/** @param server URL of the API server. */
export function kubeconfig(server: string, token: string): string {
  return [
    'apiVersion: v1',
    'kind: Config',
    `clusters: [{name: c, cluster: {server: "${server}"${server.startsWith('https') ? ', insecure-skip-tls-verify: true' : ''}}}]`,
    `users: [{name: u, user: {token: "${token}"}}]`,
    'contexts: [{name: x, context: {cluster: c, user: u}}]',
    'current-context: x',
    '',
  ].join('\n');
}
