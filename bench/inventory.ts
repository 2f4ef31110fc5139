/**
 * What the benched cluster holds, as a pure function of a service's number, so that objects, questions and the
 * static zones of NSD and Knot agree without asking anybody: service N lives in namespace N % 100, every tenth
 * (N % 10 = 9) is headless with hostnames, every hundredth (N % 100 = 50) an ExternalName; 5 endpoints each.
 */

export const NAMESPACES = 100;
export const ENDPOINTS_PER_SERVICE = 5;
/** Names asked in one query set. */
export const ASKED = 1000;
const ZONE = 'cluster.local.';

export interface Service {
  readonly number: number;
  readonly name: string;
  readonly namespace: string;
  readonly kind: 'clusterIP' | 'headless' | 'externalName';
  /** Fully qualified owner name. */
  readonly owner: string;
  /** Empty where the service has none. */
  readonly clusterIp: string;
}

export function service(number: number): Service {
  const kind = number % 10 === 9 ? 'headless' : number % 100 === 50 ? 'externalName' : 'clusterIP';
  const name = `svc-${number}`;
  const namespace = `ns-${number % NAMESPACES}`;
  return {
    number,
    name,
    namespace,
    kind,
    owner: `${name}.${namespace}.svc.${ZONE}`,
    clusterIp: kind === 'clusterIP' ? clusterIp(number) : '',
  };
}

/** 10.100.0.0/16 lies inside the service range 10.96.0.0/12 and outside what the API server takes for itself. */
function clusterIp(number: number): string {
  return `10.${100 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

/** The address of an endpoint: 10.128.0.0/9 by order. */
export function endpointAddress(serviceNumber: number, endpoint: number, perService = ENDPOINTS_PER_SERVICE): string {
  const number = serviceNumber * perService + endpoint;
  return `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
}

/** Names of the hosts file, each with an address of its own in 10.64.0.0/10. */
export const HOSTS = 10_000;

export function host(number: number): { owner: string; address: string } {
  return {
    owner: `host-${number}.hosts.test.`,
    address: `10.${64 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`,
  };
}

export function hostsFile(): string {
  return Array.from({ length: HOSTS }, (_, number) => host(number))
    .map(({ owner, address }) => `${address} ${owner.slice(0, -1)}\n`)
    .join('');
}

export function reverseOwner(address: string): string {
  return `${address.split('.').reverse().join('.')}.in-addr.arpa.`;
}

/** ASKED ClusterIP services spread over all of them. */
export function askedClusterIps(services: number): Service[] {
  return spread(services, 'clusterIP');
}

export function askedHeadless(services: number): Service[] {
  return spread(services, 'headless');
}

function spread(services: number, kind: Service['kind']): Service[] {
  const all: Service[] = [];
  for (let number = 0; number < services; number++) if (service(number).kind === kind) all.push(service(number));
  const step = all.length / Math.min(ASKED, all.length);
  return Array.from({ length: Math.min(ASKED, all.length) }, (_, turn) => all[Math.floor(turn * step)]!);
}

export function askedPods(): { owner: string; address: string }[] {
  return Array.from({ length: ASKED }, (_, turn) => {
    const address = endpointAddress(turn, 0);
    return { owner: `${address.replaceAll('.', '-')}.ns-${turn % NAMESPACES}.pod.${ZONE}`, address };
  });
}

/** Zone files for the servers that know only static zones: the names asked, as the cluster would answer them. */
export function staticZones(services: number): { forward: string; reverse: string } {
  const soa = '@ 30 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 30\n';
  let forward = `$ORIGIN ${ZONE}\n$TTL 30\n${soa}@ NS ns.dns\nns.dns A 127.0.0.1\n`;
  let reverse = `$ORIGIN 10.in-addr.arpa.\n$TTL 30\n${soa}@ NS ns.dns.cluster.local.\n`;
  for (const { owner, clusterIp: address } of askedClusterIps(services)) {
    forward += `${owner} A ${address}\n_http._tcp.${owner} SRV 0 100 80 ${owner}\n`;
    reverse += `${reverseOwner(address)} PTR ${owner}\n`;
  }
  for (const { owner, name, number } of askedHeadless(services)) {
    for (let endpoint = 0; endpoint < ENDPOINTS_PER_SERVICE; endpoint++) {
      const target = `${name}-${endpoint}.${owner}`;
      const address = endpointAddress(number, endpoint);
      forward += `${owner} A ${address}\n${target} A ${address}\n_http._tcp.${owner} SRV 0 20 8080 ${target}\n`;
    }
  }
  for (const { owner, address } of askedPods()) forward += `${owner} A ${address}\n`;
  return { forward, reverse };
}
