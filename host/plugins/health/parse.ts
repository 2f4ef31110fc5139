// health [ADDRESS:PORT] { lameduck DURATION }

import type { DirectiveReader, ListenEndpoint, Token } from '../../corefile/reader.ts';

export type HealthConfig = {
  /** '' = all addresses. */
  readonly address: string;
  readonly port: number;
  /** How long the server goes on answering after it was told to end; not positive = not at all. */
  readonly lameduckMs: number;
};

const DEFAULT_PORT = 8080;

/** What is said in several occurrences adds up, the last word counts. */
export function parseHealth(reader: DirectiveReader): HealthConfig {
  let listen: ListenEndpoint = { address: '', port: DEFAULT_PORT, fault: undefined };
  let lameduckMs = 0;
  let listenAt = reader.word;
  reader.each((line) => {
    const [at] = reader.arguments(line, 0, 1);
    if (at !== undefined) {
      listen = reader.listenAddress(at);
      listenAt = at;
    }
    reader.properties({
      lameduck: (property) => {
        lameduckMs = lameduck(reader, reader.argument(property));
      },
    });
  });
  if (listen.fault !== undefined) {
    // CoreDNS makes a URL of the address before it listens
    const { text } = listenAt;
    const port = text.slice(text.lastIndexOf(':'));
    const isNumber = /^:\d*$/.test(port);
    const noUrl = `parse "http://${text}": invalid port ${JSON.stringify(port)} after host`;
    reader.refuseLast(reader.error(listenAt, isNumber ? `listen tcp: ${listen.fault}` : noUrl));
  }
  return { address: listen.address, port: listen.port, lameduckMs };
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
