// The ConfigMap kube-dns as node-cache reads it from its folder: stubDomains and upstreamNameservers, JSON in a file each.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EndpointError, portNumber, splitEndpoint } from '../corefile/endpoint.ts';
import { addressOctets } from '../dns/address.ts';

export interface KubeDnsConfig {
  /** Domain and nameservers, in the file's order. */
  readonly stubDomains: readonly (readonly [string, readonly string[]])[];
  /** Empty: those of /etc/resolv.conf. */
  readonly upstreamNameservers: readonly string[];
}

export const NO_CONFIG: KubeDnsConfig = { stubDomains: [], upstreamNameservers: [] };

const UPSTREAMS_MAX = 3;
/** RFC 1123 subdomain, as Kubernetes has it. */
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** A folder without the files is an empty configuration. Throws Error with the reason. */
export function readKubeDnsConfig(folder: string): KubeDnsConfig {
  const stubs = readJson(join(folder, 'stubDomains'));
  const upstreams = readJson(join(folder, 'upstreamNameservers'));
  const upstreamNameservers = upstreams === undefined ? [] : textList(upstreams, 'upstreamNameservers');
  if (upstreamNameservers.length > UPSTREAMS_MAX) {
    throw new Error('upstreamNameserver cannot have more than three entries');
  }
  const stubDomains = stubs === undefined ? [] : stubList(stubs);
  for (const nameserver of upstreamNameservers) checkNameserver(nameserver);
  for (const [domain, servers] of stubDomains) {
    if (!SUBDOMAIN.test(domain)) throw new Error(`invalid domain name: ${JSON.stringify(domain)}`);
    for (const server of servers) checkNameserver(server);
  }
  return { stubDomains, upstreamNameservers };
}

function stubList(value: unknown): [string, string[]][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('stubDomains is no object');
  return Object.entries(value).map(([domain, servers]) => [domain, textList(servers, `stubDomains of ${domain}`)]);
}

function textList(value: unknown, what: string): string[] {
  if (Array.isArray(value) && value.every((each) => typeof each === 'string')) return value;
  throw new Error(`${what} is no list of strings`);
}

/** undefined: there is no such file. */
function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`Invalid JSON ${JSON.stringify(text)}`);
  }
}

/** An address, with a port or without. */
function checkNameserver(text: string): void {
  if (addressOctets(text) !== undefined) return;
  try {
    const { address, port } = splitEndpoint(text);
    if (addressOctets(address) !== undefined && portNumber(port) !== undefined) return;
  } catch (error) {
    if (!(error instanceof EndpointError)) throw error;
  }
  throw new Error(`invalid nameserver: ${JSON.stringify(text)}`);
}
