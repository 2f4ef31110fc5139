// Both makes of TCP streams do the same things.

import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { closeLedger, createLedger } from '../../host/net/ledger.ts';
import { decodeSocketAddress } from '../../host/net/socket-address.ts';
import { loadSockets, type NativeSockets } from '../../host/net/sockets.ts';
import type { Stream, StreamListener, StreamOwner } from '../../host/net/stream.ts';
import { StreamOpener } from '../../host/net/tcp.ts';
import { ListenError } from '../../host/net/transport.ts';
import { until } from '../shard/server.ts';

const loaded = loadSockets();
const native: NativeSockets | undefined = 'unavailable' in loaded ? undefined : loaded;
const hasIpv6 = Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'));

/** Keeps what it hears. */
class Heard implements StreamOwner {
  readonly stream: Stream;
  readonly chunks: Buffer[] = [];
  ends = 0;
  sents = 0;
  closes = 0;
  onChunk: ((chunk: Buffer) => void) | undefined;

  constructor(stream: Stream) {
    this.stream = stream;
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  onData(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk));
    this.onChunk?.(chunk);
  }

  onEnd(): void {
    this.ends++;
  }

  onSent(): void {
    this.sents++;
  }

  onClose(): void {
    this.closes++;
  }
}

/** A listener on a port that was free a moment ago, and what has come there. */
class Place {
  readonly heard: Heard[] = [];
  readonly clients: Client[] = [];
  readonly #opener: StreamOpener;
  #listener: StreamListener | undefined;
  port = 0;

  constructor(sockets: NativeSockets | undefined) {
    this.#opener = new StreamOpener(sockets);
  }

  async listen(address: string): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      this.port = 20_000 + Math.floor(Math.random() * 10_000);
      try {
        this.#listener = await this.#opener.listen(address, this.port, (stream) => {
          const heard = new Heard(stream);
          this.heard.push(heard);
          return heard;
        });
        return;
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  }

  get listener(): StreamListener {
    return this.#listener!;
  }

  /** A client, and its other end. */
  async meet(host = '127.0.0.1'): Promise<{ client: Client; heard: Heard }> {
    const client = new Client(this.port, host);
    this.clients.push(client);
    await until('it is accepted', () => this.heard.length === this.clients.length);
    return { client, heard: this.heard.at(-1)! };
  }

  close(): void {
    this.#listener?.close();
    for (const { stream } of this.heard) stream.destroy();
    for (const { socket } of this.clients) socket.destroy();
    this.#opener.close();
  }
}

class Client {
  readonly socket: Socket;
  bytes = 0;
  text = '';
  hasEnded = false;
  isClosed = false;
  errors: string[] = [];

  constructor(port: number, host: string) {
    this.socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (chunk.length < 1000) this.text += chunk.toString();
    });
    this.socket.on('end', () => {
      this.hasEnded = true;
    });
    this.socket.on('close', () => {
      this.isClosed = true;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => this.errors.push(error.code ?? ''));
  }
}

const places: Place[] = [];
afterEach(() => {
  for (const place of places.splice(0)) place.close();
});

async function openPlace(sockets: NativeSockets | undefined, address = '127.0.0.1'): Promise<Place> {
  const place = new Place(sockets);
  places.push(place);
  await place.listen(address);
  return place;
}

for (const kind of ['native', 'node'] as const) {
  const sockets = kind === 'native' ? native : undefined;
  const skip = kind === 'native' && native === undefined ? 'batched system calls are not available here' : false;

  test(`${kind}: what is written comes, both ways, and both ends are told`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    client.socket.write('question');
    await until('the question', () => heard.text === 'question');
    heard.stream.write(Buffer.from('answer'));
    await until('the answer', () => client.text === 'answer');
    const peer = decodeSocketAddress(heard.stream.peer, 0);
    assert.deepEqual(peer, { address: '127.0.0.1', port: client.socket.localPort, family: 4 });
    assert.deepEqual(heard.stream.local(), { address: '127.0.0.1', port: client.socket.remotePort, family: 4 });
    assert.equal(heard.closes, 0);
  });

  test(`${kind}: a client that ends its half still gets what it asked for`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    client.socket.end('question');
    await until('its end', () => heard.ends === 1);
    assert.equal(heard.text, 'question');
    await sleep(30);
    heard.stream.write(Buffer.from('answer'));
    heard.stream.end();
    await until('the answer and the end', () => client.text === 'answer' && client.isClosed);
    await until('both have closed', () => heard.closes === 1);
    assert.deepEqual([heard.ends, client.errors], [1, []]);
    assert.equal(heard.stream.local(), undefined);
  });

  test(`${kind}: end() waits for the client's end`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    heard.stream.write(Buffer.from('bye'));
    heard.stream.end();
    await until('the end', () => client.hasEnded && client.text === 'bye');
    assert.equal(heard.closes, 0);
    client.socket.end();
    await until('it closes', () => heard.closes === 1);
  });

  test(`${kind}: destroy() closes at once, and every call after it is harmless`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    heard.stream.destroy();
    heard.stream.destroy();
    heard.stream.write(Buffer.from('late'));
    heard.stream.pause();
    heard.stream.resume();
    heard.stream.end();
    client.socket.end();
    await until('the client sees it', () => client.isClosed);
    await until('it is told once', () => heard.closes === 1);
    assert.equal(client.text, '');
    assert.equal(heard.stream.unsentBytes, 0);
  });

  test(`${kind}: a reset is an end without onEnd()`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    client.socket.write('x');
    await until('an octet', () => heard.text === 'x');
    client.socket.resetAndDestroy();
    await until('it closes', () => heard.closes === 1);
    assert.equal(heard.ends, 0);
  });

  test(`${kind}: pausing within a chunk holds back what follows, and the end`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    heard.onChunk = () => heard.stream.pause();
    client.socket.write('first');
    await until('the first', () => heard.text === 'first');
    client.socket.write('second');
    client.socket.end();
    await sleep(100);
    assert.deepEqual([heard.text, heard.ends], ['first', 0]);
    heard.stream.resume();
    await until('the second', () => heard.text === 'firstsecond');
    heard.stream.resume();
    await until('the end', () => heard.ends === 1);
  });

  test(`${kind}: much data comes whole, in chunks`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    const sent = Buffer.alloc(1_000_000, 'abcdefghijklm');
    heard.onChunk = () => {
      heard.stream.pause();
      setImmediate(() => heard.stream.resume());
    };
    client.socket.end(sent);
    await until('the end', () => heard.ends === 1);
    assert.ok(Buffer.concat(heard.chunks).equals(sent));
    assert.ok(heard.chunks.length > 10);
  });

  test(`${kind}: what a client does not read waits here, then leaves in order, then comes the end`, {
    skip,
  }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    client.socket.pause();
    await sleep(20);
    const piece = Buffer.alloc(100_000, 'x');
    let written = 0;
    while (heard.stream.unsentBytes === 0 || written < 8_000_000) {
      heard.stream.write(piece);
      written += piece.length;
      if (kind === 'node') await new Promise(setImmediate);
    }
    // The caller's octets are its own again
    piece.fill('y');
    const waiting = heard.stream.unsentBytes;
    assert.ok(waiting > 0 && waiting <= written);
    assert.ok(heard.stream.unsentWrites >= waiting / piece.length);
    heard.stream.end();
    let isClean = true;
    client.socket.on('data', (chunk: Buffer) => {
      isClean &&= !chunk.includes('y');
    });
    client.socket.resume();
    await until('all of it', () => client.bytes === written && client.hasEnded, 30_000);
    assert.ok(isClean, 'octets of the caller were sent after its call');
    assert.ok(heard.sents > 0);
    assert.deepEqual([heard.stream.unsentBytes, heard.stream.unsentWrites], [0, 0]);
  });

  test(`${kind}: a client that leaves with unread replies costs nothing more`, { skip }, async () => {
    const { client, heard } = await (await openPlace(sockets)).meet();
    client.socket.pause();
    for (let n = 0; n < 200; n++) heard.stream.write(Buffer.alloc(100_000));
    await sleep(20);
    assert.ok(heard.stream.unsentBytes > 0);
    client.socket.resetAndDestroy();
    await until('it closes', () => heard.closes === 1);
    assert.equal(heard.stream.unsentBytes, 0);
  });

  test(`${kind}: all addresses of the machine, of both families`, { skip }, async () => {
    const place = await openPlace(sockets, '');
    for (const [host, family] of [['127.0.0.2', 4], ...(hasIpv6 ? ([['::1', 6]] as const) : [])] as const) {
      const { client, heard } = await place.meet(host);
      const peer = decodeSocketAddress(heard.stream.peer, 0);
      assert.deepEqual([peer.family, peer.port], [family, client.socket.localPort]);
      assert.equal(heard.stream.peer.length, family === 4 ? 16 : 28);
      assert.deepEqual(heard.stream.local(), { address: host, port: place.port, family });
    }
  });

  test(`${kind}: a closed listener takes nobody, and leaves its connections alone`, { skip }, async () => {
    const place = await openPlace(sockets);
    assert.equal(place.listener.port, place.port);
    const { client, heard } = await place.meet();
    place.listener.close();
    const late = new Client(place.port, '127.0.0.1');
    place.clients.push(late);
    await until('the late one is refused', () => late.errors.length > 0);
    assert.deepEqual(late.errors, ['ECONNREFUSED']);
    client.socket.write('still here');
    await until('it is heard', () => heard.text === 'still here');
  });

  test(`${kind}: an address of another machine is refused in Go's words`, { skip }, async () => {
    const opener = new StreamOpener(sockets);
    await assert.rejects(
      opener.listen('192.0.2.1', 5353, () => undefined),
      (error) =>
        error instanceof ListenError &&
        error.message === 'Listen: listen tcp 192.0.2.1:5353: bind: cannot assign requested address',
    );
    opener.close();
  });

  test(`${kind}: a thousand connections at once are all served, and leave no descriptor`, { skip }, async () => {
    const place = await openPlace(sockets);
    const before = readdirSync('/proc/self/fd').length;
    const clients = Array.from({ length: 1000 }, () => new Client(place.port, '127.0.0.1'));
    place.clients.push(...clients);
    for (const [n, { socket }] of clients.entries()) socket.write(`${n}`);
    await until('all are heard', () => place.heard.length === 1000 && place.heard.every(({ text }) => text !== ''));
    for (const { stream, text } of place.heard) stream.write(Buffer.from(`re:${text}`));
    await until('all are answered', () => clients.every(({ text }, n) => text === `re:${n}`));
    for (const { socket } of clients) socket.end();
    await until('all have ended', () => place.heard.every(({ ends }) => ends === 1));
    for (const { stream } of place.heard) stream.end();
    await until('nothing is open', () => readdirSync('/proc/self/fd').length <= before);
  });
}

test('native: where no more files may be open, who waits is sent away, and later ones are served', {
  skip: native === undefined ? 'batched system calls are not available here' : false,
}, async () => {
  // epoll, spare, listener, two connections
  const ledger = createLedger(5);
  const few = loadSockets(ledger) as NativeSockets;
  const place = await openPlace(few);
  const kept = [await place.meet(), await place.meet()];
  const third = new Client(place.port, '127.0.0.1');
  await until('it is sent away', () => third.hasEnded || third.errors.length > 0);
  third.socket.destroy();
  kept[0]!.heard.stream.destroy();
  const { client, heard } = await place.meet();
  client.socket.write('here');
  await until('it is heard', () => heard.text === 'here');
  place.close();
  places.pop();
  assert.equal(closeLedger(few, ledger), 0);
});
