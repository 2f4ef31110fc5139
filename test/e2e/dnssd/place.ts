// Where the objects of the DNS-SD suites stand: one namespace of a cluster with a domain of its own.

import { service, slice } from '../support/objects.ts';

export const ZONE = 'k8s.corp.example.';
export const NS = 'spec';

export const name = (text: string) => `${text}.${NS}.svc.${ZONE}`;
export const reverse = (address: string) => `${address.split('.').reverse().join('.')}.in-addr.arpa.`;
export const plain = (text: string, spec: Record<string, unknown> = {}) => service({ namespace: NS, name: text }, spec);
export const headless = (text: string) => plain(text, { clusterIP: 'None' });
export const sliced = (text: string, endpoints: Parameters<typeof slice>[1], suffix = '1') =>
  slice({ namespace: NS, name: `${text}-${suffix}`, service: text }, endpoints);
