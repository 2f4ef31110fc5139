// CoreDNS plugin health: /health says that the process lives. Everything happens on the main thread.

import { TIMER_MS_MAX } from '../../clock.ts';
import type { Control, ControlServices, Directive, ServerBlock } from '../../plugin/contract.ts';
import { durationText } from '../../plugin/duration-text.ts';
import { HealthEndpoint } from './endpoint.ts';
import { type HealthConfig, parseHealth } from './parse.ts';

export const health: Directive<HealthConfig> = {
  name: 'health',
  parse: parseHealth,
  control: createControl,
};

function createControl(config: HealthConfig, _block: ServerBlock, services: ControlServices): Control {
  const log = services.log.withPrefix('plugin/health');
  const endpoint = services.shared(
    `health ${config.address}:${config.port}`,
    () => new HealthEndpoint(config, log, services.metrics),
  );
  let released: Promise<void> | undefined;
  const release = () => {
    released ??= endpoint.release();
    return released;
  };
  return {
    start: async () => {
      await endpoint.value.listening();
    },
    stop: release,
    beforeExit: async (signal) => {
      if (config.lameduckMs > 0) {
        log.info(`Going into lameduck mode for ${durationText(config.lameduckMs)}`);
        await wait(config.lameduckMs, signal);
        await services.drained(signal);
      }
      await release();
    },
  };
}

/** Resolves after the time or when the signal comes. */
function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve();
      return;
    }
    const timer = setTimeout(done, Math.min(ms, TIMER_MS_MAX));
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
