// One epoll descriptor for all listeners and connections of a thread; libuv watches that one alone.

import type { NativeSockets, Watch } from './sockets.ts';

/** Who is told of events. */
export interface Polled {
  /** @param flags EPOLL.. of stream-calls.ts */
  onEvents(flags: number): void;
}

/** Who has more to read than it may in one turn. */
export interface Unread {
  readMore(): void;
}

export class StreamPoll {
  readonly #sockets: NativeSockets;
  readonly #fd: number;
  readonly #watch: Watch;
  /** A descriptor to give up when no more may be opened; negative: there is none. */
  #spare: number;
  /** By slot. */
  readonly #members: (Polled | undefined)[] = [];
  /** How often a slot was given back: events of a member that has left meet another number. */
  readonly #turns: number[] = [];
  readonly #free: number[] = [];
  #unread: Unread[] = [];

  constructor(sockets: NativeSockets) {
    this.#sockets = sockets;
    this.#fd = sockets.streams.openPoll();
    this.#spare = sockets.streams.openSpare();
    this.#watch = sockets.watchReadable(this.#fd, () => this.#tell());
  }

  /** Tells of events from now on; returns the slot, or the negative errno. */
  add(fd: number, member: Polled, events: number): number {
    const slot = this.#free.pop() ?? this.#turns.push(0) - 1;
    const result = this.#sockets.streams.pollAdd(this.#fd, fd, events, slot, this.#turns[slot]!);
    if (result < 0) {
      this.#free.push(slot);
      return result;
    }
    this.#members[slot] = member;
    return slot;
  }

  /** False: it cannot tell of them. */
  change(fd: number, slot: number, events: number): boolean {
    return this.#sockets.streams.pollChange(this.#fd, fd, events, slot, this.#turns[slot]!) === 0;
  }

  /** The descriptor must be closed with it. */
  remove(slot: number): void {
    this.#members[slot] = undefined;
    this.#turns[slot] = (this.#turns[slot]! + 1) >>> 0;
    this.#free.push(slot);
  }

  /** Lets a member read in the next turn of the event loop. */
  readLater(member: Unread): void {
    if (this.#unread.push(member) === 1) setImmediate(this.#readMore);
  }

  /**
   * No more files may be open: the connections that wait are closed, because one that cannot be accepted would keep the
   * listener readable for ever.
   */
  refuse(listening: number): void {
    const { streams } = this.#sockets;
    if (this.#spare < 0) this.#spare = streams.openSpare();
    if (this.#spare < 0) return;
    this.#sockets.close(this.#spare);
    for (let fd = streams.accept(listening); fd >= 0; fd = streams.accept(listening)) this.#sockets.close(fd);
    this.#spare = streams.openSpare();
  }

  close(): void {
    this.#watch.close();
    this.#unread = [];
    if (this.#spare >= 0) this.#sockets.close(this.#spare);
    this.#sockets.close(this.#fd);
  }

  #tell(): void {
    const { streams } = this.#sockets;
    // What does not fit is there at the next turn
    const count = streams.pollEvents(this.#fd);
    for (let i = 0; i < count; i++) {
      const slot = streams.eventSlot(i);
      if (this.#turns[slot] === streams.eventTurn(i)) this.#members[slot]?.onEvents(streams.eventFlags(i));
    }
  }

  readonly #readMore = (): void => {
    const members = this.#unread;
    this.#unread = [];
    for (const member of members) member.readMore();
  };
}
