// Lines of a file as Go's programs read them (bufio.Scanner, strings.Fields).

/** Longer lines are not taken: the reading ends there. */
const LINE_BYTES_MAX = 65535;

/** White space as Go has it (unicode.IsSpace): U+0085 is, U+FEFF is not. */
export const SPACES = /[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/;

/** Whether the line from `at` to `end` is too long. A character is an octet at least, three at most. */
export function isLineTooLong(text: string, at: number, end: number): boolean {
  return (end - at) * 3 > LINE_BYTES_MAX && Buffer.byteLength(text.slice(at, end)) > LINE_BYTES_MAX;
}
