// Which command the words ask for, without loading it.

/** Whether they are for node-cache: `node-cache ...`, or the flags of its DaemonSet. */
export function isNodeCache(argv: readonly string[]): boolean {
  return argv[0] === 'node-cache' || argv.some((word) => /^--?localip(?:=|$)/.test(word));
}
