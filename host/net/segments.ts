// Datagrams of one length to one address can leave as one that the kernel cuts up (UDP_SEGMENT, Linux 4.18): the way
// through the network stack is paid once for all of them.

import { EINVAL, EIO, EMSGSIZE } from './errno.ts';
import { type NativeSockets, SOL_UDP, UDP_SEGMENT } from './sockets.ts';

/** A message that fits every route's frames. */
export const SEGMENT_BYTES_MAX = 1200;
/** Of one datagram before it is cut up. */
export const JOINED_BYTES_MAX = 60_000;
/** struct cmsghdr { size_t length; int level; int type; } and a u16, padded. */
export const SEGMENT_CONTROL_BYTES = 24;
const SEGMENT_CONTROL_LENGTH = 18;

/** Undefined before it is known; off for good after the first route that refuses a joined datagram. */
let joining: boolean | undefined;

/** Asks the kernel once: an old one would not cut the datagram up, and say nothing. WASMDNS_UDP_SEGMENT=0 turns it off. */
export function learnJoining(sockets: NativeSockets, fd: number): void {
  if (joining !== undefined) return;
  try {
    joining = process.env['WASMDNS_UDP_SEGMENT'] !== '0' && sockets.option(fd, SOL_UDP, UDP_SEGMENT) === 0;
  } catch {
    joining = false;
  }
}

export function isJoining(): boolean {
  return joining === true;
}

/** True: the errno of a joined datagram says that its route cannot cut datagrams up, and none is joined from now on. */
export function stopsJoining(errno: number): boolean {
  if (errno !== EIO && errno !== EINVAL && errno !== EMSGSIZE) return false;
  joining = false;
  return true;
}

/** Tests: whether messages are joined; undefined = nobody has asked yet. */
export function setJoining(isOn: boolean | undefined): void {
  joining = isOn;
}

/** Writes the control message that asks for segments of `bytes` octets. @param at a multiple of four, in octets */
export function laySegmentControl(controls: Uint32Array, at: number, bytes: number): void {
  const word = at >>> 2;
  controls[word] = SEGMENT_CONTROL_LENGTH;
  controls[word + 1] = 0;
  controls[word + 2] = SOL_UDP;
  controls[word + 3] = UDP_SEGMENT;
  controls[word + 4] = bytes;
}
