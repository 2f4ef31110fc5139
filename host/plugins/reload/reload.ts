// Plugin reload: looks at the Corefile from time to time and asks the server to restart in place when it has changed.
// Never stands in the way of a query.

import type { Control, ControlServices, Directive, Shared } from '../../plugin/contract.ts';
import { parseReload, type ReloadConfig } from './parse.ts';
import { Poller, PollerSeat } from './poller.ts';

export const reload: Directive<ReloadConfig> = {
  name: 'reload',
  parse: parseReload,
  control: (config, _block, services) => createControl(config, services),
};

function createControl(config: ReloadConfig, services: ControlServices): Control {
  let seat: Shared<PollerSeat> | undefined;
  let poller: Poller | undefined;
  return {
    serving() {
      // Taken here and not in control(): a configuration that is refused leaves nothing behind.
      seat = services.shared('plugin/reload', () => new PollerSeat());
      poller = new Poller(seat.value, intervalMs(config, Math.random()), services);
      seat.value.enter(poller);
    },
    async stop() {
      if (seat === undefined || poller === undefined) return;
      // One that goes on keeps the seat alive
      if (!seat.value.leave(poller)) return;
      const shared = seat;
      seat = undefined;
      await shared.release();
    },
    async beforeExit() {
      poller?.pause();
    },
  };
}

/**
 * Servers that were started together drift apart: the jitter moves the interval by up to half of it either way.
 * @param random in [0, 1)
 */
export function intervalMs(config: ReloadConfig, random: number): number {
  return config.intervalMs + (random - 0.5) * config.jitterMs;
}
