// What the firewall is told: that queries to the node's addresses and the replies to them go without connection
// tracking. That is also what takes queries over: kube-proxy turns a service's address into a pod's in the tracking of
// connections, so a query that is not tracked stays at the address that was asked.

export type Transport = 'udp' | 'tcp';
export type Hook = 'prerouting' | 'input' | 'output';

export interface Rule {
  readonly hook: Hook;
  /** accept: for filters that let tracked connections in and drop what they do not know. */
  readonly action: 'notrack' | 'accept';
  readonly transport: Transport;
  /** Which end of the datagram the address and port are. */
  readonly end: 'source' | 'destination';
  readonly address: string;
  readonly port: number;
  /** Without it no query of a client comes here any more, unless its address is only ours. */
  readonly isTaking: boolean;
}

export interface Guarded {
  readonly addresses: readonly string[];
  readonly dnsPort: number;
  readonly healthPort: number;
}

/** node-cache's, in its order. */
export function rulesFor({ addresses, dnsPort, healthPort }: Guarded): readonly Rule[] {
  return addresses.flatMap((address) => {
    const both = (hook: Hook, action: Rule['action'], end: Rule['end'], isTaking: boolean): Rule[] =>
      (['tcp', 'udp'] as const).map((transport) => ({
        hook,
        action,
        transport,
        end,
        address,
        port: dnsPort,
        isTaking,
      }));
    // The kubelet's probe
    const health = (end: Rule['end']): Rule => ({
      hook: 'output',
      action: 'notrack',
      transport: 'tcp',
      end,
      address,
      port: healthPort,
      isTaking: false,
    });
    return [
      ...both('prerouting', 'notrack', 'destination', true),
      ...both('input', 'accept', 'destination', false),
      ...both('output', 'notrack', 'source', false),
      ...both('output', 'accept', 'source', false),
      // Queries of the node itself and of pods in its network
      ...both('output', 'notrack', 'destination', true),
      health('destination'),
      health('source'),
    ];
  });
}
