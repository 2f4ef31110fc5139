// CoreDNS plugin ready: /ready says whether every plugin that has an opinion is ready. Main thread only.

import type { Control, ControlServices, Directive, ServerBlock } from '../../plugin/contract.ts';
import { ReadyEndpoint } from './endpoint.ts';
import { parseReady, type ReadyConfig } from './parse.ts';

export const ready: Directive<ReadyConfig> = {
  name: 'ready',
  parse: parseReady,
  control: createControl,
};

/** What the blocks of one configuration say together: every endpoint shows the plugins of all blocks with `ready`. */
class ReadyBlocks {
  readonly indices = new Set<number>();
  /** The last block decides for all. */
  isContinuous = false;
}

/** By the services that all blocks of one configuration share. */
const configurations = new WeakMap<ControlServices, ReadyBlocks>();

function createControl(config: ReadyConfig, block: ServerBlock, services: ControlServices): Control {
  const blocks = configurations.get(services) ?? new ReadyBlocks();
  configurations.set(services, blocks);
  blocks.indices.add(block.index);
  blocks.isContinuous = config.isContinuous;
  const log = services.log.withPrefix('plugin/ready');
  const key = `ready ${config.address}:${config.port} ${config.fault ?? ''}`;
  const endpoint = services.shared(key, () => new ReadyEndpoint(config, log));
  const withdraw = endpoint.value.answerWith({
    read: () => services.readiness(blocks.indices),
    isContinuous: () => blocks.isContinuous,
  });
  let released: Promise<void> | undefined;
  const release = () => {
    withdraw();
    released ??= endpoint.release();
    return released;
  };
  return {
    start: async () => {
      try {
        await endpoint.value.listening();
      } catch (error) {
        // As in CoreDNS the server runs without its endpoint, and says nothing.
        log.debug(`Failed to start ready endpoint: ${(error as Error).message}`);
      }
    },
    stop: release,
    beforeExit: release,
  };
}
