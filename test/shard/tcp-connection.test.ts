// A connection without a network: what only the order of events can show.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OUTCOME_ANSWER, OUTCOME_SLOW } from '../../engine-as/shared/codes.ts';
import { LARGE_OUT, SHARD_REPLY_BYTES } from '../../engine-as/shared/layout.ts';
import { SHARD_SETTINGS } from '../../host/engine/messages.ts';
import type { Stream } from '../../host/net/stream.ts';
import { ShardArea } from '../../host/shard/area.ts';
import type { Listening } from '../../host/shard/generation.ts';
import type { Handoff } from '../../host/shard/handoff.ts';
import { TcpStreams } from '../../host/shard/tcp.ts';
import { TcpConnection } from '../../host/shard/tcp-connection.ts';
import { framed, question } from './wire.ts';

test('a client that is gone when its first reply is sent stands on no list, whatever its next query led to', () => {
  const area = new ShardArea({ buffer: new SharedArrayBuffer(LARGE_OUT + (256 << 10)) }, 0);
  const outcomes = [OUTCOME_ANSWER, OUTCOME_SLOW];
  const engine = { serveOne: () => outcomes.shift()!, settle: () => {}, quiesce: () => {} };
  let handedOff = 0;
  const handoff = {
    take: () => {
      handedOff++;
    },
  } as unknown as Handoff;
  const parts = { shard: 0, area, engine, handoff };
  const streams = new TcpStreams(parts, SHARD_SETTINGS.tcp, undefined);
  const stream: Stream = {
    peer: new Uint8Array(16),
    unsentBytes: 0,
    unsentWrites: 0,
    unreadBytes: 0,
    local: () => undefined,
    // As the kernel says of a client that has reset the connection
    write: () => connection.onClose(),
    pause: () => {},
    resume: () => {},
    end: () => {},
    destroy: () => {},
  };
  const listening = { address: '127.0.0.1', port: 53, program: 0 } as Listening;
  const connection: TcpConnection = new TcpConnection({ ...parts, streams }, listening, stream);
  assert.equal(streams.fresh.head, connection);
  area.setWord(SHARD_REPLY_BYTES, 40);
  connection.onData(Buffer.concat([framed(question('a.example.')), framed(question('b.example.'))]));
  assert.deepEqual([outcomes.length, handedOff], [0, 1]);
  assert.deepEqual([streams.fresh.head, streams.idle.head], [undefined, undefined]);
});
