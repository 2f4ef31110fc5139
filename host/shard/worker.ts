// The entry of a shard's thread: piscina runs the default export once in each worker, for as long as the shard lives.

import { instantiateEngine } from '../engine/load.ts';
import type { ShardTask } from '../engine/messages.ts';
import { batchedStdoutLog } from '../log.ts';
import { directives } from '../plugins/order.ts';
import { runShard } from './shard.ts';
import { UpstreamSockets } from './upstream.ts';

export default function work(task: ShardTask): Promise<void> {
  return runShard(task, {
    directives: new Map(directives.map((directive) => [directive.name, directive])),
    instantiate: instantiateEngine,
    createUpstreams: ({ area, sockets }) => new UpstreamSockets({ area, sockets }),
    createLog: batchedStdoutLog,
  });
}
