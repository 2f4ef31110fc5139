/**
 * The query pool: message headers, iovecs and messages of all questions laid out once, in the order they are asked,
 * so that any run of neighbours is one sendmmsg(). Per query only the id (and the digits of a fresh label) is patched.
 *
 *   headers   | mmsghdr 0 | mmsghdr 1 | ...      64 octets each, msg_iov -> iovec i
 *   iovecs    | iovec 0 | iovec 1 | ...          16 octets each, base -> message i
 *   messages  | question 0 | question 1 | ...    STRIDE octets apart
 */
import { IOVEC_BYTES, MMSGHDR_BYTES, type Region, region, writeWord } from './kernel.ts';
import { FRESH_OFFSET, type Question } from './questions.ts';

export const BATCH = 64;
/** The pool is repeated until it has this many entries: a batch must never hold the same entry twice. */
const ENTRIES_MIN = 4 * BATCH;
const FRESH_DIGITS = 10;

export class Pool {
  /** Entries in the pool; entry i asks question i % questions.length. */
  readonly count: number;
  readonly questionCount: number;
  readonly #store: Region;
  readonly #messagesOffset: number;
  readonly #stride: number;
  readonly #fresh: Uint8Array;
  #number: number;

  constructor(questions: readonly Question[], seed: number) {
    this.questionCount = questions.length;
    this.count = questions.length * Math.ceil(ENTRIES_MIN / questions.length);
    this.#stride = Math.max(...questions.map((question) => (question.message.length + 15) & ~15));
    const iovecsOffset = this.count * MMSGHDR_BYTES;
    this.#messagesOffset = iovecsOffset + this.count * IOVEC_BYTES;
    this.#store = region(this.#messagesOffset + this.count * this.#stride);
    this.#fresh = Uint8Array.from(questions, (question) => (question.isFresh ? 1 : 0));
    this.#number = seed;
    for (let entry = 0; entry < this.count; entry++) {
      const { message } = questions[entry % questions.length]!;
      const iovecOffset = iovecsOffset + entry * IOVEC_BYTES;
      const messageOffset = this.#messagesOffset + entry * this.#stride;
      this.#store.octets.set(message, messageOffset);
      writeWord(this.#store, iovecOffset, this.#store.at + messageOffset);
      writeWord(this.#store, iovecOffset + 8, message.length);
      writeWord(this.#store, entry * MMSGHDR_BYTES + 16, this.#store.at + iovecOffset);
      writeWord(this.#store, entry * MMSGHDR_BYTES + 24, 1);
    }
  }

  /** Address of the mmsghdr of `entry`, for sendmmsg(). */
  headerAt(entry: number): number {
    return this.#store.at + entry * MMSGHDR_BYTES;
  }

  /** Makes the mmsghdr of `entry` stand for `count` entries, see kernel.ts cutInto(). */
  join(entry: number, count: number): void {
    writeWord(this.#store, entry * MMSGHDR_BYTES + 24, count);
  }

  /** Makes entry ready to be sent under `id`; returns the index of its question. */
  patch(entry: number, id: number): number {
    const { octets } = this.#store;
    const offset = this.#messagesOffset + entry * this.#stride;
    octets[offset] = id >> 8;
    octets[offset + 1] = id;
    const index = entry % this.questionCount;
    if (this.#fresh[index] === 1) {
      let rest = ++this.#number;
      for (let digit = FRESH_DIGITS - 1; digit >= 0; digit--) {
        octets[offset + FRESH_OFFSET + digit] = 48 + (rest % 10);
        rest = Math.floor(rest / 10);
      }
    }
    return index;
  }

  /** Copies the message of `entry` to `target`, behind the two-octet length TCP wants; returns the octets written. */
  frame(entry: number, bytes: number, target: Uint8Array, at: number): number {
    const offset = this.#messagesOffset + entry * this.#stride;
    target[at] = bytes >> 8;
    target[at + 1] = bytes;
    for (let octet = 0; octet < bytes; octet++) target[at + 2 + octet] = this.#store.octets[offset + octet]!;
    return bytes + 2;
  }
}

const REPLY_BYTES_MAX = 4096;

/** Receive slots for one recvmmsg(); nothing has to be re-armed: the kernel writes only msg_len and msg_flags. */
export class ReceiveSlots {
  readonly store: Region;
  constructor() {
    this.store = region(BATCH * (MMSGHDR_BYTES + IOVEC_BYTES + REPLY_BYTES_MAX));
    for (let slot = 0; slot < BATCH; slot++) {
      const iovecOffset = BATCH * MMSGHDR_BYTES + slot * IOVEC_BYTES;
      writeWord(this.store, iovecOffset, this.store.at + this.offset(slot));
      writeWord(this.store, iovecOffset + 8, REPLY_BYTES_MAX);
      writeWord(this.store, slot * MMSGHDR_BYTES + 16, this.store.at + iovecOffset);
      writeWord(this.store, slot * MMSGHDR_BYTES + 24, 1);
    }
  }

  offset(slot: number): number {
    return BATCH * (MMSGHDR_BYTES + IOVEC_BYTES) + slot * REPLY_BYTES_MAX;
  }

  bytes(slot: number): number {
    return this.store.words[(slot * MMSGHDR_BYTES + 56) >> 2]!;
  }
}

/**
 * Ids outstanding on one socket. A slot holds the question's index + 1 and 0 when free; ids go round in order, so a
 * free slot is found at once unless 65,536 queries are in flight.
 */
export class Outstanding {
  count = 0;
  readonly #asked = new Uint32Array(65536);
  readonly #age = new Uint8Array(65536);
  #generation = 0;
  #next = 0;

  /** The id of the query that is `ahead` places behind the next one to be held. */
  idAhead(ahead: number): number {
    return (this.#next + ahead) & 0xffff;
  }

  /** Marks the next id as asked; the query has been sent. */
  hold(index: number): void {
    const id = this.#next;
    this.#next = (id + 1) & 0xffff;
    if (this.#asked[id] === 0) this.count++;
    this.#asked[id] = index + 1;
    this.#age[id] = this.#generation;
  }

  /** The question's index, or -1 when nothing is outstanding under that id. */
  release(id: number): number {
    const asked = this.#asked[id]!;
    if (asked === 0) return -1;
    this.#asked[id] = 0;
    this.count--;
    return asked - 1;
  }

  /** Call at a fixed interval: gives up what was outstanding at the call before, returns how many those were. */
  giveUp(): number {
    let lost = 0;
    if (this.count > 0) {
      for (let id = 0; id < 65536; id++) {
        if (this.#asked[id] !== 0 && this.#age[id] !== this.#generation) {
          this.#asked[id] = 0;
          lost++;
        }
      }
      this.count -= lost;
    }
    this.#generation ^= 1;
    return lost;
  }
}
