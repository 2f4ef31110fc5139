// Names of rcodes as Go's DNS library has them: 16 is BADSIG there, never BADVERS.

const NAMES: ReadonlyMap<number, string> = new Map([
  ...['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', 'YXDOMAIN', 'YXRRSET', 'NXRRSET', 'NOTAUTH']
    .concat('NOTZONE', 'DSOTYPENI')
    .map((name, rcode): [number, string] => [rcode, name]),
  ...['BADSIG', 'BADKEY', 'BADTIME', 'BADMODE', 'BADNAME', 'BADALG', 'BADTRUNC', 'BADCOOKIE'].map(
    (name, i): [number, string] => [16 + i, name],
  ),
]);

const NUMBERS: ReadonlyMap<string, number> = new Map([
  ...[...NAMES].map(([rcode, name]): [string, number] => [name, rcode]),
  ['NOTIMPL', 4],
]);

/** `NXDOMAIN`, and the number in digits for an rcode without a name. */
export function rcodeLabel(rcode: number): string {
  return NAMES.get(rcode) ?? String(rcode);
}

/** The rcode that a word of the Corefile means, upper or lower case; undefined for any other word. */
export function rcodeOfWord(word: string): number | undefined {
  return NUMBERS.get(word.toUpperCase());
}
