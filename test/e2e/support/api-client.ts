// A small client of the Kubernetes API for the tests: JSON, keep-alive, many requests at once.

import { Agent, request } from 'node:https';

/** A Kubernetes object as JSON gives it. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

const COLLECTIONS: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  Service: '/api/v1/namespaces/NS/services',
  Pod: '/api/v1/namespaces/NS/pods',
  EndpointSlice: '/apis/discovery.k8s.io/v1/namespaces/NS/endpointslices',
  ServiceImport: '/apis/multicluster.x-k8s.io/v1alpha1/namespaces/NS/serviceimports',
  CustomResourceDefinition: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  ServiceAccount: '/api/v1/namespaces/NS/serviceaccounts',
  ConfigMap: '/api/v1/namespaces/NS/configmaps',
  DaemonSet: '/apis/apps/v1/namespaces/NS/daemonsets',
  Deployment: '/apis/apps/v1/namespaces/NS/deployments',
  PodDisruptionBudget: '/apis/policy/v1/namespaces/NS/poddisruptionbudgets',
};

export class ApiError extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

export class ApiClient {
  private readonly port: number;
  private readonly token: string;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 24, rejectUnauthorized: false });

  constructor(port: number, token: string) {
    this.port = port;
    this.token = token;
  }

  create(object: KubernetesObject): Promise<KubernetesObject> {
    return this.send('POST', collectionOf(object), object);
  }

  /** Creates objects, namespaces first, `concurrency` at a time. An object that exists already stays as it is. */
  async createAll(objects: readonly KubernetesObject[], concurrency = 24): Promise<void> {
    const create = async (object: KubernetesObject) => {
      // The API server makes this one itself, and refuses the address to a second one.
      if (object.kind === 'Service' && object.metadata.name === 'kubernetes') return;
      try {
        await this.create(object);
        if (object['status'] !== undefined && object.kind === 'Pod') await this.patchStatus(object);
      } catch (error) {
        if (!(error instanceof ApiError && error.status === 409)) throw error;
      }
    };
    await forEach(
      objects.filter((object) => object.kind === 'Namespace'),
      concurrency,
      create,
    );
    await forEach(
      objects.filter((object) => object.kind !== 'Namespace'),
      concurrency,
      create,
    );
  }

  /** JSON merge patch. */
  patch(object: KubernetesObject, patch: unknown): Promise<KubernetesObject> {
    return this.send('PATCH', pathOf(object), patch);
  }

  /** Server-side apply with strict validation: an unknown or doubled field is an error. */
  apply(object: KubernetesObject, options: { readonly isDryRun?: boolean } = {}): Promise<KubernetesObject> {
    const words = `fieldManager=test&force=true&fieldValidation=Strict${options.isDryRun ? '&dryRun=All' : ''}`;
    return this.send('PATCH', `${pathOf(object)}?${words}`, object, 'application/apply-patch+yaml');
  }

  /** A token as a pod of the service account would have it. */
  async serviceAccountToken(namespace: string, name: string): Promise<string> {
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`;
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3600 } };
    const { status } = (await this.send('POST', path, body)) as { readonly status?: { readonly token: string } };
    return status!.token;
  }

  delete(object: KubernetesObject): Promise<unknown> {
    return this.send('DELETE', pathOf(object), undefined);
  }

  /** What the namespace controller would do, which does not run here: lets a deleted namespace go. */
  async finalizeNamespace(object: KubernetesObject): Promise<void> {
    const path = pathOf(object);
    const { metadata } = (await this.get(path)) as KubernetesObject;
    await this.send('PUT', `${path}/finalize`, { apiVersion: 'v1', kind: 'Namespace', metadata, spec: {} });
  }

  get(path: string): Promise<unknown> {
    return this.send('GET', path, undefined);
  }

  private patchStatus(object: KubernetesObject): Promise<KubernetesObject> {
    return this.send('PATCH', `${pathOf(object)}/status`, { status: object['status'] });
  }

  private send(
    method: string,
    path: string,
    body: unknown,
    type: string = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json',
  ): Promise<KubernetesObject> {
    const octets = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      authorization: `Bearer ${this.token}`,
      ...(octets === undefined ? {} : { 'content-type': type, 'content-length': octets.length }),
    };
    return new Promise((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: this.port, method, path, headers, agent: this.agent, timeout: 30_000 },
        (response) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(parts).toString();
            const status = response.statusCode ?? 0;
            if (status >= 300) reject(new ApiError(status, `${method} ${path}: ${status} ${text.slice(0, 300)}`));
            else resolve(text.startsWith('{') ? (JSON.parse(text) as KubernetesObject) : ({ text } as never));
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: timeout`)));
      sent.on('error', reject);
      sent.end(octets);
    });
  }

  close(): void {
    this.agent.destroy();
  }
}

function collectionOf(object: KubernetesObject): string {
  const path = COLLECTIONS[object.kind];
  if (path === undefined) throw new Error(`objects of kind ${object.kind} are not known here`);
  return path.replace('NS', object.metadata.namespace ?? 'default');
}

function pathOf(object: KubernetesObject): string {
  return `${collectionOf(object)}/${object.metadata.name}`;
}

/** Runs `work` for every item, `concurrency` at a time; the first failure ends it. */
export async function forEach<T>(
  items: readonly T[],
  concurrency: number,
  work: (item: T, at: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) {
      const at = next++;
      await work(items[at]!, at);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, lane));
}
