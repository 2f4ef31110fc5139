// struct mmsghdr, iovec and sockaddr of a batch, as recvmmsg(2) and sendmmsg(2) of 64-bit Linux take them. Laid out
// once; a batch only touches lengths, and the send headers in the order of the answers.

import {
  BATCH,
  CONTROL_MESSAGE_BYTES,
  CONTROL_MESSAGE_STRIDE,
  CONTROL_NATIVE_BASE,
  IOVEC_STRIDE,
  MMSGHDR_CONTROL,
  MMSGHDR_CONTROLLEN,
  MMSGHDR_FLAGS,
  MMSGHDR_IOV,
  MMSGHDR_IOVLEN,
  MMSGHDR_NAME,
  MMSGHDR_NAMELEN,
  MMSGHDR_STRIDE,
  RECEIVE_BYTES,
  RECEIVE_CONTROLS,
  RECEIVE_HEADERS,
  RECEIVE_IOVECS,
  RECEIVE_NAMES,
  RECEIVE_SLOTS,
  RECEIVE_STRIDE,
  SEND_HEADERS,
  SEND_IOVECS,
  SOCKADDR_STRIDE,
} from '../shared/layout';

const SOCKADDR_BYTES: u32 = 28; // struct sockaddr_in6, the larger of the two

export function layHeaders(area: u32): void {
  const base = load<u64>(CONTROL_NATIVE_BASE);
  for (let i: u32 = 0; i < <u32>BATCH; i++) {
    // Bounds: i < BATCH; all arrays of the area have BATCH entries
    const receive = area + RECEIVE_HEADERS + i * MMSGHDR_STRIDE;
    const receiveVector = area + RECEIVE_IOVECS + i * IOVEC_STRIDE;
    memory.fill(receive, 0, MMSGHDR_STRIDE);
    store<u64>(receive + MMSGHDR_NAME, base + area + RECEIVE_NAMES + i * SOCKADDR_STRIDE);
    store<u64>(receive + MMSGHDR_IOV, base + receiveVector);
    store<u64>(receive + MMSGHDR_IOVLEN, 1);
    store<u64>(receive + MMSGHDR_CONTROL, base + area + RECEIVE_CONTROLS + i * CONTROL_MESSAGE_STRIDE);
    store<u64>(receiveVector, base + area + RECEIVE_SLOTS + i * RECEIVE_STRIDE);
    store<u64>(receiveVector + 8, RECEIVE_BYTES);
    const send = area + SEND_HEADERS + i * MMSGHDR_STRIDE;
    memory.fill(send, 0, MMSGHDR_STRIDE);
    store<u64>(send + MMSGHDR_IOV, base + area + SEND_IOVECS + i * IOVEC_STRIDE);
    store<u64>(send + MMSGHDR_IOVLEN, 1);
  }
  armReceive(area, BATCH);
}

/** The kernel leaves the lengths of what it received; the next receive needs the rooms again. */
export function armReceive(area: u32, count: u32): void {
  for (let i: u32 = 0; i < count && i < <u32>BATCH; i++) {
    const receive = area + RECEIVE_HEADERS + i * MMSGHDR_STRIDE; // Bounds: i < BATCH
    store<u32>(receive + MMSGHDR_NAMELEN, SOCKADDR_BYTES);
    store<u64>(receive + MMSGHDR_CONTROLLEN, CONTROL_MESSAGE_BYTES);
    store<u32>(receive + MMSGHDR_FLAGS, 0);
  }
}

/** Send header `index` carries the reply of `bytes` octets at `at` back to whom receive slot `slot` came from. */
export function queueSend(area: u32, index: u32, slot: u32, at: u32, bytes: u32): void {
  const base = load<u64>(CONTROL_NATIVE_BASE);
  // Bounds: index <= slot < BATCH
  const receive = area + RECEIVE_HEADERS + slot * MMSGHDR_STRIDE;
  const send = area + SEND_HEADERS + index * MMSGHDR_STRIDE;
  const vector = area + SEND_IOVECS + index * IOVEC_STRIDE;
  const controlBytes = load<u64>(receive + MMSGHDR_CONTROLLEN);
  store<u64>(send + MMSGHDR_NAME, load<u64>(receive + MMSGHDR_NAME));
  store<u32>(send + MMSGHDR_NAMELEN, load<u32>(receive + MMSGHDR_NAMELEN));
  store<u64>(send + MMSGHDR_CONTROL, controlBytes ? load<u64>(receive + MMSGHDR_CONTROL) : 0);
  store<u64>(send + MMSGHDR_CONTROLLEN, controlBytes);
  store<u64>(vector, base + at);
  store<u64>(vector + 8, bytes);
}
