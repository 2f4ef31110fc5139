// Objects as a cluster's controllers write them, made when somebody asks.

import { KINDS } from '../api/source.ts';
import type { KubernetesObject } from '../api/values.ts';
import { type Shape, SLICE_ENDPOINTS } from './shape.ts';
import { CREATED_AT, generationOf, livingEndpoints, type ServiceState } from './state.ts';

const PORTS = [
  { name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 },
  { name: 'metrics', protocol: 'TCP', port: 9100, targetPort: 9100 },
];

/** What a hash is for. */
const SALT = { service: 101, slice: 102, pod: 103 };

export class Objects {
  readonly #shape: Shape;

  constructor(shape: Shape) {
    this.#shape = shape;
  }

  namespace(name: string, version: number): KubernetesObject {
    const labels = { 'kubernetes.io/metadata.name': name };
    const metadata = { name, uid: this.#uid(0, name.length), resourceVersion: String(version), labels };
    return {
      metadata: { ...metadata, creationTimestamp: CREATED_AT },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    };
  }

  service(number: number, state: ServiceState): KubernetesObject {
    const shape = this.#shape;
    const kind = shape.kindOf(number);
    const name = shape.nameOf(number);
    const metadata = {
      name,
      namespace: shape.namespaceOf(number),
      uid: this.#uid(SALT.service, number, state.incarnation),
      resourceVersion: String(state.serviceVersion),
      creationTimestamp: state.createdAt,
      labels: labelsOf(name),
      managedFields: managed('helm', 'v1', state.createdAt, SERVICE_FIELDS),
    };
    const status = { loadBalancer: {} };
    if (kind === 'externalName') {
      const spec = { externalName: `${name}.example.com`, sessionAffinity: 'None', type: 'ExternalName' };
      return { metadata, spec, status };
    }
    const ip = kind === 'headless' ? 'None' : shape.clusterIp(number, state.incarnation);
    const spec = {
      ports: PORTS,
      selector: { 'app.kubernetes.io/name': name },
      clusterIP: ip,
      clusterIPs: [ip],
      type: 'ClusterIP',
      sessionAffinity: 'None',
      ipFamilies: ['IPv4'],
      ipFamilyPolicy: 'SingleStack',
      internalTrafficPolicy: 'Cluster',
    };
    return { metadata, spec, status };
  }

  slice(number: number, state: ServiceState, slice: number): KubernetesObject {
    const shape = this.#shape;
    const service = shape.nameOf(number);
    const controller = 'endpointslice-controller.k8s.io';
    const owner = { apiVersion: 'v1', kind: 'Service', name: service };
    const uid = this.#uid(SALT.service, number, state.incarnation);
    const first = slice * SLICE_ENDPOINTS;
    const writtenAt = state.changedAt === '' ? state.createdAt : state.changedAt.replace(/\.\d+/, '');
    const count = Math.min(SLICE_ENDPOINTS, state.endpoints - first);
    return {
      metadata: {
        name: shape.sliceName(number, slice, state.incarnation),
        generateName: `${service}-`,
        namespace: shape.namespaceOf(number),
        uid: this.#uid(SALT.slice, number, slice, state.incarnation),
        resourceVersion: String(state.sliceVersions[slice]),
        generation: 1 + state.rotation,
        creationTimestamp: state.createdAt,
        labels: {
          ...labelsOf(service),
          'endpointslice.kubernetes.io/managed-by': controller,
          'kubernetes.io/service-name': service,
          ...(shape.kindOf(number) === 'headless' && { 'service.kubernetes.io/headless': '' }),
        },
        ...(state.changedAt !== '' && { annotations: { [TRIGGER_TIME]: state.changedAt } }),
        ownerReferences: [{ ...owner, uid, controller: true, blockOwnerDeletion: true }],
        managedFields: managed('kube-controller-manager', KINDS.endpointslices.apiVersion, writtenAt, SLICE_FIELDS),
      },
      addressType: 'IPv4',
      endpoints: Array.from({ length: count }, (_, at) => this.#endpoint(number, state, first + at)),
      ports: PORTS.map(({ name, protocol, targetPort }) => ({ name, protocol, port: targetPort })),
    };
  }

  pod(number: number, state: ServiceState, endpoint: number, version: number): KubernetesObject {
    const { name, node, address, uid } = this.#podOf(number, state, endpoint);
    const app = this.#shape.nameOf(number);
    const metadata = { name, namespace: this.#shape.namespaceOf(number), uid, resourceVersion: String(version) };
    return {
      metadata: { ...metadata, creationTimestamp: CREATED_AT, labels: labelsOf(app) },
      spec: { containers: [{ name: 'main', image: `registry.example.com/${app}:1.0` }], nodeName: node },
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: endpoint === state.unready ? 'False' : 'True' }],
        podIP: address,
        podIPs: [{ ip: address }],
      },
    };
  }

  #endpoint(number: number, state: ServiceState, endpoint: number): object {
    const shape = this.#shape;
    const { name, node, zone, address, uid } = this.#podOf(number, state, endpoint);
    const ready = endpoint !== state.unready;
    return {
      addresses: [address],
      conditions: { ready, serving: ready, terminating: false },
      ...(shape.hasHostnames(number) && { hostname: name }),
      targetRef: { kind: 'Pod', namespace: shape.namespaceOf(number), name, uid },
      nodeName: node,
      zone,
    };
  }

  #podOf(number: number, state: ServiceState, endpoint: number) {
    const shape = this.#shape;
    const generation = generationOf(state, endpoint, shape.endpointsMax(number));
    const node = shape.node(number, endpoint, generation);
    return {
      name: shape.podName(number, endpoint, state.incarnation, generation),
      address: shape.podAddress(number, endpoint, generation),
      uid: this.#uid(SALT.pod, number, endpoint, generation),
      node: `node-${node}`,
      zone: `zone-${'abc'[node % 3]}`,
    };
  }

  /** Of version 4, as the API server makes them. */
  #uid(...numbers: readonly number[]): string {
    const shape = this.#shape;
    const [a, b, c, d] = [1, 2, 3, 4].map((salt) => shape.hash(salt, ...numbers)) as [number, number, number, number];
    const digits = (value: number) => HEX[value & 0xffff]!;
    const version = digits((b & 0x0fff) | 0x4000);
    const variant = digits((c & 0x3fff) | 0x8000);
    return `${digits(a >>> 16)}${digits(a)}-${digits(b >>> 16)}-${version}-${variant}-${digits(c >>> 16)}${digits(d >>> 16)}${digits(d)}`;
  }
}

/** Four hexadecimal digits of each number: a large cluster has millions of identifiers. */
const HEX: readonly string[] = Array.from({ length: 0x10000 }, (_, value) => value.toString(16).padStart(4, '0'));

const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time';

/** Two states differ in this endpoint: it comes, it goes, it is another pod, its readiness changes. */
export function isOtherEndpoint(a: ServiceState, b: ServiceState, endpoint: number, endpointsMax: number): boolean {
  const [isIn, wasIn] = [endpoint < livingEndpoints(a), endpoint < livingEndpoints(b)];
  if (!isIn || !wasIn) return isIn !== wasIn;
  if ((a.unready === endpoint) !== (b.unready === endpoint)) return true;
  return generationOf(a, endpoint, endpointsMax) !== generationOf(b, endpoint, endpointsMax);
}

function labelsOf(name: string): Readonly<Record<string, string>> {
  return { 'app.kubernetes.io/name': name, 'app.kubernetes.io/managed-by': 'Helm' };
}

/** What the API server notes of who has written which fields: a good part of every object. */
function managed(writer: string, apiVersion: string, time: string, fieldsV1: object): object[] {
  return [{ manager: writer, operation: 'Update', apiVersion, time, fieldsType: 'FieldsV1', fieldsV1 }];
}

const SERVICE_FIELDS = {
  'f:metadata': { 'f:labels': { '.': {}, 'f:app.kubernetes.io/name': {}, 'f:app.kubernetes.io/managed-by': {} } },
  'f:spec': {
    'f:internalTrafficPolicy': {},
    'f:ports': {
      '.': {},
      'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} },
      'k:{"port":9100,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:protocol': {}, 'f:targetPort': {} },
    },
    'f:selector': {},
    'f:sessionAffinity': {},
    'f:type': {},
  },
};

const SLICE_FIELDS = {
  'f:addressType': {},
  'f:endpoints': {},
  'f:metadata': {
    'f:annotations': { '.': {}, 'f:endpoints.kubernetes.io/last-change-trigger-time': {} },
    'f:generateName': {},
    'f:labels': {
      '.': {},
      'f:app.kubernetes.io/name': {},
      'f:endpointslice.kubernetes.io/managed-by': {},
      'f:kubernetes.io/service-name': {},
    },
    'f:ownerReferences': { '.': {}, 'k:{"uid":"00000000-0000-4000-8000-000000000000"}': {} },
  },
  'f:ports': {},
};
