// The simulated cluster: the states of those services that have changed, and the last changes.
//
//   #states   number -> state of now -> the state before it -> ... as far as the history reaches
//   #changes  ring of the last changes; their objects are made when somebody asks for them

import {
  type Change,
  ForgottenError,
  keyOf,
  type Listed,
  type ObjectSource,
  type ResourceName,
} from '../api/source.ts';
import type { KubernetesObject } from '../api/values.ts';
import { isOtherEndpoint, Objects } from './objects.ts';
import { type Shape, SLICE_ENDPOINTS } from './shape.ts';
import { firstState, livingEndpoints, type ServiceState, sliceCount } from './state.ts';

interface Link extends ServiceState {
  before: Link | undefined;
}

/** What a change may change. */
export type Next = Partial<Omit<ServiceState, 'serviceVersion' | 'sliceVersions' | 'since'>>;

type Changing = 'services' | 'endpointslices' | 'pods';
/** `part`: which slice, which endpoint. */
type Difference = readonly [type: Change['type'], resource: Changing, part: number];

export class SimulatedCluster implements ObjectSource {
  readonly shape: Shape;
  version: number;
  readonly #firstVersion: number;
  readonly #changesMax: number;
  readonly #objects: Objects;
  readonly #states = new Map<number, Link>();
  /** The change to version V stands at V % changesMax. */
  readonly #changes: SimulatedChange[] = [];
  readonly #listeners = new Set<() => void>();
  /** Versions of the pods that are not of the first version: `NUMBER ENDPOINT`. */
  readonly #podVersions = new Map<string, number>();
  readonly #counts: Record<Changing, number>;

  /** @param version that it begins with: who knew an earlier cluster must not take this one for it. */
  constructor(shape: Shape, changesMax: number, version: number) {
    this.shape = shape;
    this.version = version;
    this.#firstVersion = version;
    this.#changesMax = changesMax;
    this.#objects = new Objects(shape);
    let slices = 0;
    for (let number = 0; number < shape.count; number++) slices += sliceCount(shape.endpointsOf(number));
    this.#counts = { services: shape.count, endpointslices: slices, pods: shape.options.endpoints };
  }

  get oldestVersion(): number {
    return Math.max(this.#firstVersion, this.version - this.#changesMax);
  }

  stateOf(number: number): ServiceState {
    return this.#linkOf(number);
  }

  /** Changes a service; returns how many objects other than pods that concerned. Nobody hears of it before tell(). */
  change(number: number, next: Next): number {
    const before = this.#linkOf(number);
    const draft = { ...before, ...next };
    const differences = differencesOf(before, draft, this.shape.endpointsMax(number));
    if (differences.length === 0) return 0;
    const first = this.version + 1;
    const versionOf = (wanted: Changing, wantedPart: number) => {
      const at = differences.findIndex(([, resource, part]) => resource === wanted && part === wantedPart);
      return at < 0 ? undefined : first + at;
    };
    const after: Link = {
      ...draft,
      serviceVersion: versionOf('services', 0) ?? before.serviceVersion,
      sliceVersions: Array.from(
        { length: sliceCount(draft.endpoints) },
        (_, slice) => versionOf('endpointslices', slice) ?? before.sliceVersions[slice]!,
      ),
      since: this.version + differences.length,
      before,
    };
    this.#states.set(number, after);
    for (const [type, resource, part] of differences) {
      const version = ++this.version;
      if (type !== 'MODIFIED') this.#counts[resource] += type === 'ADDED' ? 1 : -1;
      if (resource === 'pods') this.#podVersions.set(`${number} ${part}`, version);
      const objectOf = (state: ServiceState) => this.#object(resource, number, state, part);
      this.#keep(new SimulatedChange(type, resource, version, before, after, objectOf));
    }
    return differences.filter(([, resource]) => resource !== 'pods').length;
  }

  /** Lets everybody know of the changes since the last call. */
  tell(): void {
    for (const listener of this.#listeners) listener();
  }

  countOf(resource: ResourceName): number {
    if (resource === 'serviceimports') return 0;
    return resource === 'namespaces' ? this.shape.namespaces.length : this.#counts[resource];
  }

  changeAt(version: number): Change {
    return this.#changes[version % this.#changesMax]!;
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  *list(resource: ResourceName, version: number, after: string): Iterable<Listed> {
    if (resource === 'serviceimports') return;
    if (resource === 'namespaces') {
      for (const key of this.shape.namespaces) {
        if (key > after) yield { key, object: this.#objects.namespace(key, this.#firstVersion) };
      }
      return;
    }
    for (let number = this.shape.numberBefore(after); number < this.shape.count; number++) {
      if (version < this.oldestVersion) throw new ForgottenError();
      const state = this.#linkAt(number, version);
      const parts = Array.from({ length: partCount(resource, state) }, (_, part) => part);
      const listed = parts.map((part) => {
        const object = this.#object(resource, number, state, part);
        return { key: keyOf(object), object };
      });
      yield* listed.filter(({ key }) => key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
    }
  }

  #object(resource: Changing, number: number, state: ServiceState, part: number): KubernetesObject {
    if (resource === 'services') return this.#objects.service(number, state);
    if (resource === 'endpointslices') return this.#objects.slice(number, state, part);
    const version = this.#podVersions.get(`${number} ${part}`) ?? this.#firstVersion;
    return this.#objects.pod(number, state, part, version);
  }

  #linkOf(number: number): Link {
    return this.#states.get(number) ?? { ...firstState(this.shape, number, this.#firstVersion), before: undefined };
  }

  #linkAt(number: number, version: number): Link {
    let link = this.#linkOf(number);
    while (link.since > version) link = link.before!;
    return link;
  }

  #keep(change: SimulatedChange): void {
    const at = change.version % this.#changesMax;
    const forgotten = this.#changes[at];
    // Nobody can ask any more for what was before it.
    if (forgotten !== undefined && forgotten.after.since === forgotten.version) forgotten.after.before = undefined;
    this.#changes[at] = change;
  }
}

class SimulatedChange implements Change {
  readonly type: Change['type'];
  readonly resource: Changing;
  readonly version: number;
  readonly after: Link;
  readonly #before: ServiceState;
  readonly #objectOf: (state: ServiceState) => KubernetesObject;

  constructor(
    type: Change['type'],
    resource: Changing,
    version: number,
    before: ServiceState,
    after: Link,
    objectOf: (state: ServiceState) => KubernetesObject,
  ) {
    this.type = type;
    this.resource = resource;
    this.version = version;
    this.after = after;
    this.#before = before;
    this.#objectOf = objectOf;
  }

  get object(): KubernetesObject {
    const object = this.#objectOf(this.type === 'DELETED' ? this.#before : this.after);
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } };
  }

  get before(): KubernetesObject | undefined {
    return this.type === 'ADDED' ? undefined : this.#objectOf(this.#before);
  }
}

function partCount(resource: Changing, state: ServiceState): number {
  if (resource === 'services') return state.hasService ? 1 : 0;
  const endpoints = livingEndpoints(state);
  return resource === 'pods' ? endpoints : sliceCount(endpoints);
}

/** In the order in which controllers write: the service, pods, slices. */
function differencesOf(before: ServiceState, after: ServiceState, endpointsMax: number): Difference[] {
  const services: Difference[] = [];
  const pods: Difference[] = [];
  if (before.hasService !== after.hasService) services.push([typeOf(before.hasService), 'services', 0]);
  const [had, has] = [livingEndpoints(before), livingEndpoints(after)];
  const slices = new Set<number>();
  for (let endpoint = 0; endpoint < Math.max(had, has); endpoint++) {
    if (!isOtherEndpoint(after, before, endpoint, endpointsMax)) continue;
    slices.add(Math.floor(endpoint / SLICE_ENDPOINTS));
    const isReplaced = endpoint < had && endpoint < has && before.rotation !== after.rotation;
    if (isReplaced) pods.push(['DELETED', 'pods', endpoint], ['ADDED', 'pods', endpoint]);
    else pods.push([typeOf(endpoint < had, endpoint < has), 'pods', endpoint]);
  }
  const changed = [...slices].map<Difference>((slice) => [
    typeOf(slice < sliceCount(had), slice < sliceCount(has)),
    'endpointslices',
    slice,
  ]);
  return [...services, ...pods, ...changed];
}

function typeOf(was: boolean, is = !was): Change['type'] {
  return was ? (is ? 'MODIFIED' : 'DELETED') : 'ADDED';
}
