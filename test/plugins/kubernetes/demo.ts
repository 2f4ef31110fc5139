// Plugin kubernetes in front of the demo API.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startDemoCluster } from '../../../host/commands/demo/cluster.ts';
import { createLog } from '../../../host/log.ts';
import type { ControlServices } from '../../../host/plugin/contract.ts';
import { parseKubernetes } from '../../../host/plugins/kubernetes/parse.ts';
import { FakeStore } from '../../kubernetes/fake-store.ts';
import { readerOf } from '../support/reader.ts';
import { testServices } from '../support/services.ts';

export const WEB = `kind: Service
metadata: { name: web, namespace: a }
spec: { clusterIP: 10.0.0.1, ports: [{ name: http, port: 80 }] }
---
kind: EndpointSlice
metadata:
  name: web-x
  namespace: a
  labels: { kubernetes.io/service-name: web }
  annotations: { endpoints.kubernetes.io/last-change-trigger-time: '2026-01-01T00:00:00Z' }
endpoints: [{ addresses: [10.0.1.1] }]
`;

export interface Started {
  readonly url: string;
  readonly stores: FakeStore[];
  readonly services: ControlServices;
  readonly lines: string[];
  save(text: string): void;
  expose(): Promise<string>;
}

export async function demo(t: TestContext): Promise<Started> {
  const directory = mkdtempSync(join(tmpdir(), 'wasmdns-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'cluster.yaml');
  const save = (text: string) => writeFileSync(file, text);
  save(WEB);
  const cluster = await startDemoCluster({ file, log: createLog(() => {}) });
  t.after(() => cluster.close());
  const stores: FakeStore[] = [];
  const { services, lines, metrics } = testServices();
  const createRecords = () => {
    const store = new FakeStore();
    stores.push(store);
    return store;
  };
  return {
    url: cluster.url,
    stores,
    services: { ...services, createRecords },
    lines,
    save,
    expose: () => metrics.expose(),
  };
}

export function configOf(text: string) {
  return parseKubernetes(readerOf('kubernetes', text));
}
