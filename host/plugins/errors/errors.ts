// CoreDNS plugin errors: one log line for each query that failed below it in the chain. Shards print; errors that a
// `consolidate` expression takes are counted on the main thread, so that there is one summary for the process.

import { typeName } from '../../dns/types.ts';
import type { Log } from '../../log.ts';
import type {
  Control,
  ControlServices,
  Directive,
  Plain,
  Plugin,
  Query,
  ServerBlock,
  ShardServices,
} from '../../plugin/contract.ts';
import { compileExpression } from '../../plugin/expression.ts';
import { Consolidation } from './consolidation.ts';
import { type ErrorsConfig, parseErrors } from './parse.ts';

export const errors: Directive<ErrorsConfig> = {
  name: 'errors',
  parse: parseErrors,
  settings: ({ showsStack }) => ({ showsStack }),
  control: createControl,
  // Nothing to do on a query's way: the shard calls onError() where one fails.
  compile: () => {},
  create: createPlugin,
};

/** `[index of the pattern, line]`, from a shard. */
type Report = readonly [number, string];

function createControl(config: ErrorsConfig, _block: ServerBlock, services: ControlServices): Control {
  const log = services.log.withPrefix('plugin/errors');
  const consolidations = config.patterns.map((pattern) => new Consolidation(pattern, log));
  return {
    onNotice: (message: Plain) => {
      const [index, line] = message as Report;
      consolidations[index]?.count(line);
    },
    stop: async () => {
      for (const consolidation of consolidations) consolidation.flush();
    },
  };
}

function createPlugin(config: ErrorsConfig, _block: ServerBlock, services: ShardServices): Plugin {
  const log: Log = services.log.withPrefix('plugin/errors');
  const expressions = config.patterns.map(({ expression }) => compileExpression(expression).regex);
  return {
    name: 'errors',
    onError: (query: Query, rcode: number, text: string) => {
      const line = `${rcode} ${query.name} ${typeName(query.type)}: ${text}`;
      const index = expressions.findIndex((expression) => expression.matcher(text).find());
      if (index < 0) log.error(line);
      // Behind the query's own line, which this thread writes at the end of the turn
      else queueMicrotask(() => services.notifyControl([index, line]));
    },
  };
}
