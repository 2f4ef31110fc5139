// ready [ADDRESS:PORT] { monitor until-ready|continuously }

import type { DirectiveReader, Line, ListenEndpoint } from '../../corefile/reader.ts';

export type ReadyConfig = ListenEndpoint & {
  /** False: a plugin that was ready once is not asked again. */
  readonly isContinuous: boolean;
};

const DEFAULT_PORT = 8181;

export function parseReady(reader: DirectiveReader): ReadyConfig {
  return reader.once((line) => parseStanza(reader, line));
}

function parseStanza(reader: DirectiveReader, line: Line): ReadyConfig {
  const [at] = reader.arguments(line, 0, 1);
  const listen = at === undefined ? { address: '', port: DEFAULT_PORT, fault: undefined } : reader.listenAddress(at);
  let isContinuous = false;
  reader.properties({
    monitor: (property) => {
      const type = reader.argument(property);
      if (type.text !== 'until-ready' && type.text !== 'continuously') {
        throw reader.unknownWord(type, `monitor type '${type.text}' not supported`, ['until-ready', 'continuously']);
      }
      isContinuous = type.text === 'continuously';
    },
  });
  return { ...listen, isContinuous };
}
