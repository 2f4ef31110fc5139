// Read deadlines of TCP connections: two lists, each in the order of their deadlines because all members of a list get
// the same time. Setting a deadline is a few pointer writes; one sweep a heartbeat looks at the heads only.

export interface Deadlined {
  previous: Deadlined | undefined;
  next: Deadlined | undefined;
  list: DeadlineList | undefined;
  deadlineMs: number;
}

export class DeadlineList {
  readonly durationMs: number;
  head: Deadlined | undefined;
  #tail: Deadlined | undefined;

  constructor(durationMs: number) {
    this.durationMs = durationMs;
  }

  /** Puts a member at the end of this list, wherever it was before. */
  set(member: Deadlined, nowMs: number): void {
    clearDeadline(member);
    member.deadlineMs = nowMs + this.durationMs;
    member.list = this;
    member.previous = this.#tail;
    if (this.#tail === undefined) this.head = member;
    else this.#tail.next = member;
    this.#tail = member;
  }

  remove(member: Deadlined): void {
    if (member.previous === undefined) this.head = member.next;
    else member.previous.next = member.next;
    if (member.next === undefined) this.#tail = member.previous;
    else member.next.previous = member.previous;
    member.previous = undefined;
    member.next = undefined;
    member.list = undefined;
  }

  /** Calls back for every member whose time has come; the callback must take it off the list. */
  sweep(nowMs: number, onLate: (member: Deadlined) => void): void {
    let member = this.head;
    while (member !== undefined && member.deadlineMs <= nowMs) {
      onLate(member);
      if (member === this.head) this.remove(member);
      member = this.head;
    }
  }
}

/** When the member was put on its list. */
export function sinceMs({ deadlineMs, list }: Deadlined): number {
  return deadlineMs - (list?.durationMs ?? 0);
}

export function clearDeadline(member: Deadlined): void {
  member.list?.remove(member);
}
