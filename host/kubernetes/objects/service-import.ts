// A ServiceImport of the multicluster API, reduced to the same shape as a Service (sigs.k8s.io/mcs-api, v1alpha1).

import { field, list, text } from './json.ts';
import type { Metadata } from './metadata.ts';
import { NO_PORTS, portsOfJson, sharePorts } from './ports.ts';
import { packClusterIps, type Service } from './service.ts';

/** Unlike a Service, one without ports has no entry at all: its name does not exist (CoreDNS plugin kubernetes). */
export function serviceImportOfJson(object: unknown, metadata: Metadata): Service {
  const spec = field(object, 'spec');
  const ports = portsOfJson(spec, 0);
  const addresses = list(spec, 'ips').filter((item) => typeof item === 'string');
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    kind: text(spec, 'type') === 'Headless' ? 'headless' : 'cluster-ip',
    ...packClusterIps(addresses),
    ports: ports.length === 0 ? NO_PORTS : sharePorts(ports),
    externalName: '',
  };
}
