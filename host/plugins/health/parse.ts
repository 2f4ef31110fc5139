// health [ADDRESS:PORT] { lameduck DURATION }

import type { DirectiveReader, Token } from '../../corefile/reader.ts';

export type HealthConfig = {
  /** '' = all addresses. */
  readonly address: string;
  readonly port: number;
  /** How long the server goes on answering after it was told to end; not positive = not at all. */
  readonly lameduckMs: number;
};

const DEFAULT_PORT = 8080;

export function parseHealth(reader: DirectiveReader): HealthConfig {
  const line = reader.once();
  const [at] = reader.arguments(line, 0, 1);
  const listen = at === undefined ? { address: '', port: DEFAULT_PORT } : reader.listenAddress(at);
  let lameduckMs = 0;
  reader.properties(line, {
    lameduck: (property) => {
      lameduckMs = lameduck(reader, reader.argument(property));
    },
  });
  return { ...listen, lameduckMs };
}

/** CoreDNS puts its own words in front of Go's. */
function lameduck(reader: DirectiveReader, token: Token): number {
  try {
    return reader.durationMs(token);
  } catch (error) {
    const place = reader.error(token, '').message.length;
    const reason = (error as Error).message.slice(place);
    throw reader.error(token, `unable to parse lameduck duration value: '${token.text}' : ${reason}`);
  }
}
