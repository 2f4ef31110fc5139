// CoreDNS plugin ready: /ready says whether every plugin that has an opinion is ready. Main thread only.

import type { Control, ControlServices, Directive, ServerBlock } from '../../plugin/contract.ts';
import { ReadyEndpoint } from './endpoint.ts';
import { parseReady, type ReadyConfig } from './parse.ts';

export const ready: Directive<ReadyConfig> = {
  name: 'ready',
  oncePerBlock: true,
  parse: parseReady,
  control: createControl,
};

function createControl(config: ReadyConfig, _block: ServerBlock, services: ControlServices): Control {
  const log = services.log.withPrefix('plugin/ready');
  const endpoint = services.shared(`ready ${config.address}:${config.port}`, () => new ReadyEndpoint(config, log));
  const withdraw = endpoint.value.answerWith({ read: () => services.readiness(), isContinuous: config.isContinuous });
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
        // As in CoreDNS the server runs without its endpoint; unlike there, it says so.
        log.error(`Failed to start ready endpoint: ${(error as Error).message}`);
      }
    },
    stop: release,
    beforeExit: release,
  };
}
