/**
 * The limit that any server on these system calls has: `node echo.ts PORT` sends every datagram back with QR set.
 * Blocking recvmmsg() in batches, nothing else; UDP only.
 */
import {
  bindUdp,
  IOVEC_BYTES,
  MMSGHDR_BYTES,
  MMSGHDR_LENGTH_OFFSET,
  MSG_WAITFORONE,
  recvmmsg,
  region,
  SOCKADDR_BYTES,
  sendmmsg,
  writeWord,
} from './kernel.ts';
import { BATCH } from './lanes.ts';

const MESSAGE_BYTES_MAX = 2048;
const IOVECS = BATCH * MMSGHDR_BYTES;
const SOCKADDRS = IOVECS + BATCH * IOVEC_BYTES;
const MESSAGES = SOCKADDRS + BATCH * SOCKADDR_BYTES;

const port = Number(process.argv[2]);
const fd = bindUdp(port);
const store = region(MESSAGES + BATCH * MESSAGE_BYTES_MAX);
for (let slot = 0; slot < BATCH; slot++) {
  const header = slot * MMSGHDR_BYTES;
  const iovec = IOVECS + slot * IOVEC_BYTES;
  writeWord(store, header, store.at + SOCKADDRS + slot * SOCKADDR_BYTES);
  writeWord(store, header + 16, store.at + iovec);
  writeWord(store, header + 24, 1);
  writeWord(store, iovec, store.at + MESSAGES + slot * MESSAGE_BYTES_MAX);
}
const { words, octets } = store;
for (;;) {
  for (let slot = 0; slot < BATCH; slot++) {
    words[(slot * MMSGHDR_BYTES + 8) >> 2] = SOCKADDR_BYTES;
    words[(IOVECS + slot * IOVEC_BYTES + 8) >> 2] = MESSAGE_BYTES_MAX;
  }
  const count = recvmmsg(fd, store.at, BATCH, MSG_WAITFORONE, 0);
  for (let slot = 0; slot < count; slot++) {
    words[(IOVECS + slot * IOVEC_BYTES + 8) >> 2] = words[(slot * MMSGHDR_BYTES + MMSGHDR_LENGTH_OFFSET) >> 2]!;
    octets[MESSAGES + slot * MESSAGE_BYTES_MAX + 2]! |= 0x84;
  }
  for (let done = 0; done < count; ) {
    const sent = sendmmsg(fd, store.at + done * MMSGHDR_BYTES, count - done, 0);
    if (sent <= 0) break;
    done += sent;
  }
}
