// Plugin hosts: names from a hosts file and from the Corefile. The names are published on the main thread (control.ts);
// both faces look them up in the engine.

import type { BlockProgram, Directive, Next, Outcome, Plugin, Query, ShardServices } from '../../plugin/contract.ts';
import { createControl, type HostsControl } from './control.ts';
import { type HostsConfig, parseHosts } from './parse.ts';

export const hosts: Directive<HostsConfig, HostsControl> = {
  name: 'hosts',
  parse: parseHosts,
  control: (config, _block, services) => createControl(config, services),
  compile,
  create: (_config, _block, services) => createPlugin(services),
};

function compile(config: HostsConfig, program: BlockProgram, control: HostsControl | undefined): void {
  if (control === undefined) {
    program.slow();
    return;
  }
  program.hosts({
    address: control.records,
    zones: config.zones,
    ttl: config.ttlSeconds,
    fallthrough: config.fallthrough,
    fallthroughUnsupported: config.fallthroughUnsupported,
  });
}

function createPlugin(services: Pick<ShardServices, 'lookup'>): Plugin {
  return {
    name: 'hosts',
    async answer(query: Query, next: Next): Promise<Outcome> {
      const found = services.lookup.hosts(query);
      return found === 'miss' ? next(query) : found;
    },
  };
}
