// What may change of a service. One that nobody has changed has no state in memory: it follows from its number.

import { type Shape, SLICE_ENDPOINTS } from './shape.ts';

export interface ServiceState {
  readonly hasService: boolean;
  /** The pods and the slices, which come and go a moment later. */
  readonly hasEndpoints: boolean;
  /** How often it was deleted. */
  readonly incarnation: number;
  readonly endpoints: number;
  /** How many pods have been replaced, one after the other. */
  readonly rotation: number;
  /** The endpoint that is not ready; -1 for none. */
  readonly unready: number;
  readonly serviceVersion: number;
  readonly sliceVersions: readonly number[];
  /** When the service was made (RFC 3339). */
  readonly createdAt: string;
  /** When its endpoints last changed (RFC 3339); '' if never. */
  readonly changedAt: string;
  /** Version of the change that led here. */
  readonly since: number;
}

/** Of everything that is there from the start. */
export const CREATED_AT = '2026-01-01T00:00:00Z';

export function firstState(shape: Shape, number: number, version: number): ServiceState {
  const endpoints = shape.endpointsOf(number);
  return {
    hasService: true,
    hasEndpoints: true,
    incarnation: 0,
    endpoints,
    rotation: 0,
    unready: -1,
    serviceVersion: version,
    sliceVersions: new Array<number>(sliceCount(endpoints)).fill(version),
    createdAt: CREATED_AT,
    changedAt: '',
    since: version,
  };
}

export function sliceCount(endpoints: number): number {
  return Math.ceil(endpoints / SLICE_ENDPOINTS);
}

/** Endpoints that are there. */
export function livingEndpoints(state: ServiceState): number {
  return state.hasEndpoints ? state.endpoints : 0;
}

/** How many pods have been in this endpoint's place before: pods are replaced in turn, whether there or not. */
export function generationOf(state: ServiceState, endpoint: number, endpointsMax: number): number {
  return state.incarnation + Math.floor((state.rotation + endpointsMax - 1 - endpoint) / endpointsMax);
}

/** The next rotation in which a pod that is there has been replaced. */
export function nextRotation(state: ServiceState, endpointsMax: number): number {
  const endpoint = state.rotation % endpointsMax;
  const skipped = endpoint < state.endpoints ? 0 : endpointsMax - endpoint;
  return state.rotation + skipped + 1;
}
