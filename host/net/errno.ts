// errno values of Linux (asm-generic: x64, arm64, riscv64, loong64) and their texts as Go prints them, because
// operators grep for those lines.

export const ENOENT = 2;
export const EINTR = 4;
export const EIO = 5;
export const EBADF = 9;
export const EAGAIN = 11;
export const EFAULT = 14;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENFILE = 23;
export const EMFILE = 24;
export const ENOTSOCK = 88;
export const EMSGSIZE = 90;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const EADDRINUSE = 98;
export const EADDRNOTAVAIL = 99;
export const ECONNREFUSED = 111;

const TEXTS: Readonly<Record<number, string>> = {
  1: 'operation not permitted',
  2: 'no such file or directory',
  4: 'interrupted system call',
  5: 'input/output error',
  9: 'bad file descriptor',
  11: 'resource temporarily unavailable',
  12: 'cannot allocate memory',
  13: 'permission denied',
  14: 'bad address',
  16: 'device or resource busy',
  17: 'file exists',
  19: 'no such device',
  21: 'is a directory',
  22: 'invalid argument',
  23: 'too many open files in system',
  24: 'too many open files',
  32: 'broken pipe',
  88: 'socket operation on non-socket',
  90: 'message too long',
  92: 'protocol not available',
  93: 'protocol not supported',
  95: 'operation not supported',
  97: 'address family not supported by protocol',
  98: 'address already in use',
  99: 'cannot assign requested address',
  100: 'network is down',
  101: 'network is unreachable',
  103: 'software caused connection abort',
  104: 'connection reset by peer',
  105: 'no buffer space available',
  106: 'transport endpoint is already connected',
  107: 'transport endpoint is not connected',
  110: 'connection timed out',
  111: 'connection refused',
  112: 'host is down',
  113: 'no route to host',
};

const NUMBERS: Readonly<Record<string, number>> = {
  EPERM: 1,
  EACCES: 13,
  ENODEV: 19,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  EPIPE: 32,
  EMSGSIZE: 90,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  ENOTCONN: 107,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EHOSTDOWN: 112,
  EHOSTUNREACH: 113,
};

/** Text of an errno number: `connection refused`. */
export function errnoText(errno: number): string {
  return TEXTS[errno] ?? `errno ${errno}`;
}

/** The same text for an error that Node raised (`error.code`), or its own message. */
export function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const number = NUMBERS[(error as NodeJS.ErrnoException).code ?? ''];
  return number === undefined ? error.message : errnoText(number);
}

/** A system call that failed: `bind: address already in use`. */
export class SocketError extends Error {
  override name = 'SocketError';
  readonly call: string;
  readonly errno: number;

  constructor(call: string, errno: number) {
    super(`${call}: ${errnoText(errno)}`);
    this.call = call;
    this.errno = errno;
  }
}
