// The Corefile of node-cache: a template whose variables are known on the node, and a block for each stub domain.

import type { KubeDnsConfig } from './kube-dns-config.ts';

const UPSTREAM_SERVERS = '__PILLAR__UPSTREAM__SERVERS__';
const CLUSTER_DNS = '__PILLAR__CLUSTER__DNS__';
const LOCAL_DNS = '__PILLAR__LOCAL__DNS__';
const DNS_SERVER = '__PILLAR__DNS__SERVER__';

/** Upstreams of the configuration are asked over UDP, those of resolv.conf as the template says. node-cache knows this one spelling. */
const OVER_TCP = `\n    forward . ${UPSTREAM_SERVERS} {\n            force_tcp\n    }\n`;
const OVER_UDP = `\n    forward . ${UPSTREAM_SERVERS}\n`;
const STUB_TTL_SECONDS = 30;

export interface TemplateWords {
  readonly addresses: readonly string[];
  readonly dnsPort: number;
  /** Cluster IP of the service in front of the cluster's DNS; undefined: there is none. */
  readonly clusterDns: string | undefined;
}

export function fillTemplate(
  template: string,
  { addresses, dnsPort, clusterDns }: TemplateWords,
  config: KubeDnsConfig,
): string {
  const { upstreamNameservers, stubDomains } = config;
  const local = addresses.join(' ');
  const upstream = upstreamNameservers.length === 0 ? '/etc/resolv.conf' : upstreamNameservers.join(' ');
  const base = upstreamNameservers.length === 0 ? template : template.replaceAll(OVER_TCP, OVER_UDP);
  const filled = base
    .replaceAll(UPSTREAM_SERVERS, upstream)
    // What Go prints for no address: no plugin takes it
    .replaceAll(CLUSTER_DNS, clusterDns ?? '<nil>')
    .replaceAll(LOCAL_DNS, local)
    .replaceAll(DNS_SERVER, '');
  const stubs = stubDomains.map(
    ([domain, servers]) => `
${domain}:${dnsPort} {
    errors
    cache ${STUB_TTL_SECONDS}
    bind ${local}
    forward . ${servers.join(' ')}
}
`,
  );
  return filled + stubs.join('');
}
