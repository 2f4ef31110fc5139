// Replies that CoreDNS makes and cannot pack: they are stored, counted and logged like any other, and not sent.

/** Of the images that are built from now on; see withhold(). */
export let withheld: u32 = 0;

/** 0 = the replies are sent; otherwise 1 more than the octets by which CoreDNS's own form of the reply is longer. */
export function withhold(mark: u32): void {
  withheld = mark;
}

/** What an image has room for. */
export const WITHHELD_MAX: u32 = 0xffff;
