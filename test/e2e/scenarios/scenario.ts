// What a scenario is: a Corefile and a script that both servers go through at the same time.

import type { ApiClient } from '../support/api-client.ts';
import type { Stage, StageOptions } from './stage.ts';

export interface Scenario extends StageOptions {
  readonly name: string;
  /** Part of the short run too. */
  readonly isShort?: boolean;
  readonly needs?: 'api server';
  /** @param objects where the objects of the cluster are made, if it needs an API server. */
  script(stage: Stage, objects?: ApiClient): Promise<void>;
}

const BASE = `.:@PORT@ {
    errors
    log
    prometheus 127.0.0.1:@METRICS@
    @REST@
}
`;

/** A block with log, errors and metrics around the directives. */
export function corefile(...directives: readonly string[]): string {
  return BASE.replace('@REST@', directives.join('\n    '));
}

export const FORWARD = 'forward . 127.0.0.1:@UPSTREAM@';
