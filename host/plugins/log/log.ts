// CoreDNS plugin log: one line for each query. The engine notes the words of the answered queries that a rule wants;
// the shard hands them over in batches and this file turns them into lines.

import { EDNS_DO, RCODE_NOERROR, RCODE_NXDOMAIN, TYPE_AXFR, TYPE_IXFR } from '../../../engine-as/shared/codes.ts';
import { isInZone } from '../../dns/name.ts';
import type {
  Answer,
  BlockProgram,
  Directive,
  LogEntry,
  Plugin,
  Query,
  ServerBlock,
  ShardServices,
} from '../../plugin/contract.ts';
import { compileFormat, readsLabels } from './format.ts';
import { type LogClass, type LogConfig, parseLog } from './parse.ts';

export const log: Directive<LogConfig> = {
  name: 'log',
  parse: parseLog,
  compile: (config: LogConfig, program: BlockProgram) => {
    program.log(config.rules.map(({ scope, classes }) => ({ scope, classes })));
    if (config.rules.some(({ format }) => readsLabels(format))) program.readMetadata();
  },
  create: createPlugin,
};

function createPlugin(config: LogConfig, _block: ServerBlock, services: ShardServices): Plugin {
  const lines = services.log.withPrefix('');
  const formats = config.rules.map(({ format }) => compileFormat(format));
  return {
    name: 'log',
    // Logging happens where the engine finishes the answer, for fast and slow ones alike.
    answer: (query, next) => next(query),
    looksAt: (query, answer) => config.rules.some(({ scope }) => isInZone(query.name, scope)) && looksAt(query, answer),
    onLog: (entry: LogEntry) => {
      const format = formats[entry.rule];
      if (format === undefined) return;
      entry.metadata.set('log/type', () => entry.replyType);
      entry.metadata.set('log/class', () => classOf(entry.replyType));
      lines.info(format(entry));
    },
  };
}

/** The type of a reply is found in its signatures if there is DO, in its authority section if it has no answer. */
function looksAt({ type, message }: Query, { rcode, answer, edns, hollow }: Answer): boolean {
  if (type === TYPE_AXFR || type === TYPE_IXFR) return false;
  if ((((message.edns?.flags ?? 0) | (edns?.flags ?? 0)) & EDNS_DO) !== 0) return true;
  const hasAnswer = answer.length > 0 || hollow!.includes('answer');
  if (hasAnswer && (rcode === RCODE_NOERROR || rcode === RCODE_NXDOMAIN)) return false;
  return hollow!.includes('authority');
}

/** CoreDNS's package response, Classify. */
function classOf(replyType: string): LogClass {
  if (replyType === 'NOERROR' || replyType === 'DELEGATION') return 'success';
  return replyType === 'NXDOMAIN' || replyType === 'NODATA' ? 'denial' : 'error';
}
