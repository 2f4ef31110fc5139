// The project's own manifest, and what podman needs of it to run the Deployment's pod as a kubelet would.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import type { KubernetesObject } from '../support/api-client.ts';
import { scratchDirectory } from '../support/child.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import { repository } from '../support/tools.ts';

const TOKEN_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

export function readManifest(name = 'kubernetes.yaml'): KubernetesObject[] {
  const documents = parseAllDocuments(readFileSync(join(repository, 'deploy', name), 'utf8'));
  return documents.map((document) => {
    if (document.errors.length > 0) throw document.errors[0]!;
    return document.toJS() as KubernetesObject;
  });
}

/** The objects of one kind; throws where there is not exactly one. */
export function only(kind: string): KubernetesObject {
  const found = readManifest().filter((object) => object.kind === kind);
  if (found.length !== 1) throw new Error(`the manifest has ${found.length} objects of kind ${kind}`);
  return found[0]!;
}

export const corefile = (): string => (only('ConfigMap')['data'] as { Corefile: string }).Corefile;

interface Probe {
  readonly httpGet: { port: number | string };
}

interface Container {
  ports?: { name: string; containerPort: number }[];
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
  env: unknown[];
  volumeMounts: unknown[];
}

interface PodSpec {
  readonly containers: Container[];
  readonly volumes: unknown[];
}

/**
 * Writes the manifest's ConfigMap and Deployment for `podman play kube`. What is changed is what a kubelet adds (the
 * service account's token, where the API server is) and what podman cannot do in the network of this process (ports).
 * @returns the file.
 */
export async function writePod(plane: ControlPlane): Promise<string> {
  const secrets = join(scratchDirectory(), 'serviceaccount');
  mkdirSync(secrets, { mode: 0o755 });
  writeFileSync(join(secrets, 'token'), await plane.api.serviceAccountToken('kube-system', 'coredns'));
  writeFileSync(join(secrets, 'namespace'), 'kube-system');
  writeFileSync(join(secrets, 'ca.crt'), readFileSync(join(plane.certificates, 'ca.crt')));
  const deployment = structuredClone(only('Deployment')) as unknown as {
    spec: { replicas: number; template: { spec: PodSpec } };
  };
  deployment.spec.replicas = 1;
  const { containers, volumes } = deployment.spec.template.spec;
  const [container] = containers as [Container];
  for (const probe of ['livenessProbe', 'readinessProbe'] as const) {
    const { httpGet } = container[probe];
    httpGet.port = container.ports!.find(({ name }) => name === httpGet.port)!.containerPort;
  }
  delete container.ports;
  container.env = [
    { name: 'KUBERNETES_SERVICE_HOST', value: '127.0.0.1' },
    { name: 'KUBERNETES_SERVICE_PORT', value: String(plane.port) },
  ];
  container.volumeMounts.push({ name: 'token', mountPath: TOKEN_FOLDER, readOnly: true });
  volumes.push({ name: 'token', hostPath: { path: secrets, type: 'Directory' } });
  const path = join(scratchDirectory(), 'pod.yaml');
  writeFileSync(path, [only('ConfigMap'), deployment].map((object) => stringify(object)).join('---\n'));
  return path;
}
