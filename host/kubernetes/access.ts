// How to reach the API: addresses, certificates and tokens. @kubernetes/client-node's KubeConfig reads them; it is
// loaded only here and only when asked, because importing it costs tens of megabytes and shards never need it.

import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { UserError } from '../errors.ts';
import { field, list } from './objects/json.ts';
import { serverUrl } from './server-url.ts';

export type Access =
  | { readonly kind: 'in-cluster' }
  | { readonly kind: 'kubeconfig'; readonly file: string; readonly context: string | undefined }
  | { readonly kind: 'endpoint'; readonly url: string; readonly tls: TlsFiles | undefined };

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

/** Where a pod finds its service account; tests look elsewhere. */
export interface PodEnvironment {
  readonly host: string | undefined;
  readonly port: string | undefined;
  /** Put before /var/run/secrets/kubernetes.io/serviceaccount. */
  readonly root: string;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

export function podEnvironment(): PodEnvironment {
  return { host: process.env['KUBERNETES_SERVICE_HOST'], port: process.env['KUBERNETES_SERVICE_PORT'], root: '' };
}

/**
 * Refuses what can be seen to be wrong without asking the API. @throws UserError
 * @returns a text that is equal for equal access: contents of a kubeconfig count, contents of certificates and tokens
 *   do not, because those are read again for each request.
 */
export function checkAccess(access: Access, pod: PodEnvironment): string {
  if (access.kind === 'kubeconfig') {
    statOrRefuse(access.file);
    return JSON.stringify([access, readOrRefuse(access.file)]);
  }
  if (access.kind === 'endpoint') {
    const { tls } = access;
    const faults = tls === undefined ? [] : [fault('client-cert', tls.cert), fault('client-key', tls.key)];
    if (tls !== undefined) faults.push(fault('certificate-authority', tls.ca));
    refuseFaults(faults.filter((text) => text !== undefined));
    if (access.url === '') throw noConfiguration();
    completed(access.url, tls !== undefined);
    return JSON.stringify(access);
  }
  if (!pod.host || !pod.port) {
    throw new UserError(
      'plugin/kubernetes: unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined',
    );
  }
  readOrRefuse(`${pod.root}${SERVICE_ACCOUNT}/token`);
  return JSON.stringify([access, pod]);
}

/** Loads the configuration; checkAccess() has passed. @throws UserError */
export async function loadAccess(access: Access, pod: PodEnvironment): Promise<KubeConfig> {
  const { KubeConfig } = await import('./kube-config.ts');
  const config = new KubeConfig();
  if (access.kind === 'kubeconfig') {
    loadFile(config, access.file, access.context);
    await applyTokenFile(config, access.file);
  } else if (access.kind === 'endpoint') loadEndpoint(config, access.url, access.tls);
  else loadPod(config, pod);
  // Plain HTTP is the user's own choice here, as in CoreDNS; KubeConfig would refuse it.
  for (const cluster of config.clusters) {
    if (cluster.server.startsWith('http:')) Object.assign(cluster, { skipTLSVerify: true });
  }
  return config;
}

/** The same configuration, its token file unread. */
export async function withoutToken(config: KubeConfig): Promise<KubeConfig> {
  const cluster = config.getCurrentCluster();
  const user = config.getCurrentUser();
  if (cluster === null || user === null) return config;
  const { KubeConfig } = await import('./kube-config.ts');
  const renewed = new KubeConfig();
  renewed.loadFromClusterAndUser(cluster, user);
  return renewed;
}

/** `tokenFile` of the user, which KubeConfig does not know: it goes before a token, and is read again as a pod's is. */
async function applyTokenFile(config: KubeConfig, file: string): Promise<void> {
  const text = readOrRefuse(file);
  if (!text.includes('tokenFile')) return;
  const { parse } = await import('./yaml.ts');
  const user = config.getCurrentUser();
  const found = list(parse(text), 'users').find((each) => field(each, 'name') === user?.name);
  const tokenFile = field(field(found, 'user'), 'tokenFile');
  if (user === null || typeof tokenFile !== 'string' || tokenFile === '') return;
  const path = resolve(dirname(file), tokenFile);
  Object.assign(user, { token: undefined, authProvider: { name: 'tokenFile', config: { tokenFile: path } } });
}

function loadFile(config: KubeConfig, file: string, context: string | undefined): void {
  try {
    config.loadFromFile(file);
  } catch (error) {
    throw new UserError(`plugin/kubernetes: error loading config file "${file}": ${(error as Error).message}`);
  }
  if (config.contexts.length === 0 && config.clusters.length === 0) throw noConfiguration();
  if (context !== undefined) config.setCurrentContext(context);
  const name = config.getCurrentContext();
  if (!name) throw noConfiguration();
  if (config.getContextObject(name) === null)
    throw new UserError(`plugin/kubernetes: context "${name}" does not exist`);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new UserError(`plugin/kubernetes: invalid configuration: cluster of context "${name}" does not exist`);
  }
  // Without a user KubeConfig forgets the certificate authority as well.
  const user = config.getCurrentUser() ?? { name: 'anonymous' };
  config.loadFromClusterAndUser(cluster, user);
  const faults = [
    cluster.caFile ? fault('certificate-authority', cluster.caFile, cluster.name) : undefined,
    user.certFile ? fault('client-cert', user.certFile, user.name) : undefined,
    user.keyFile ? fault('client-key', user.keyFile, user.name) : undefined,
  ];
  refuseFaults(faults.filter((text) => text !== undefined));
  const isSecured = Boolean(
    cluster.caFile || cluster.caData || user.certFile || user.certData || cluster.skipTLSVerify,
  );
  Object.assign(cluster, { server: completed(cluster.server, isSecured) });
}

function completed(url: string, isSecured: boolean): string {
  const server = serverUrl(url, isSecured);
  if ('url' in server) return server.url;
  throw new UserError(
    `plugin/kubernetes: failed to create kubernetes notification controller: ${JSON.stringify(server.problem)}`,
  );
}

function loadEndpoint(config: KubeConfig, url: string, tls: TlsFiles | undefined): void {
  const server = completed(url, tls !== undefined);
  config.loadFromClusterAndUser(
    { name: 'endpoint', server, skipTLSVerify: false, ...(tls && { caFile: tls.ca }) },
    { name: 'endpoint', ...(tls && { certFile: tls.cert, keyFile: tls.key }) },
  );
}

function loadPod(config: KubeConfig, pod: PodEnvironment): void {
  const host = pod.host!.includes(':') ? `[${pod.host}]` : pod.host;
  const token = `${pod.root}${SERVICE_ACCOUNT}/token`;
  const ca = `${pod.root}${SERVICE_ACCOUNT}/ca.crt`;
  config.loadFromClusterAndUser(
    // A missing authority means the system's own, as in client-go.
    {
      name: 'in-cluster',
      server: `https://${host}:${pod.port}`,
      skipTLSVerify: false,
      ...(isReadable(ca) && { caFile: ca }),
    },
    // KubeConfig reads a token file again every minute: tokens of service accounts expire.
    { name: 'in-cluster', authProvider: { name: 'tokenFile', config: { tokenFile: token } } },
  );
}

function noConfiguration(): UserError {
  return new UserError(
    'plugin/kubernetes: invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment variable',
  );
}

function refuseFaults(faults: readonly string[]): void {
  if (faults.length === 0) return;
  const text = faults.length === 1 ? faults[0]! : `[${faults.join(', ')}]`;
  throw new UserError(`plugin/kubernetes: invalid configuration: ${text}`);
}

function fault(what: string, file: string, owner = ''): string | undefined {
  try {
    readFileSync(file);
    return undefined;
  } catch (error) {
    return `unable to read ${what} ${file} for ${owner} due to open ${file}: ${reason(error)}`;
  }
}

function statOrRefuse(file: string): void {
  try {
    statSync(file);
  } catch (error) {
    throw new UserError(`plugin/kubernetes: stat ${file}: ${reason(error)}`);
  }
}

function readOrRefuse(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new UserError(`plugin/kubernetes: open ${file}: ${reason(error)}`);
  }
}

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** The system's words, as Go prints them. */
function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return { ENOENT: 'no such file or directory', EACCES: 'permission denied', EISDIR: 'is a directory' }[code] ?? code;
}
