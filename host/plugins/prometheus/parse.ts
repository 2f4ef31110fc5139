// prometheus [ADDRESS:PORT] { runtime_metrics; tls FILE }

import type { DirectiveReader, Line, ListenEndpoint } from '../../corefile/reader.ts';

export type PrometheusConfig = ListenEndpoint & {
  readonly hasRuntimeMetrics: boolean;
  /** Prometheus's web configuration, '' = plain HTTP for everybody. */
  readonly webConfigFile: string;
};

const DEFAULT_ENDPOINT: ListenEndpoint = { address: 'localhost', port: 9153, fault: undefined };

export function parsePrometheus(reader: DirectiveReader): PrometheusConfig {
  return reader.once((line) => parseStanza(reader, line));
}

function parseStanza(reader: DirectiveReader, line: Line): PrometheusConfig {
  const [at] = reader.arguments(line, 0, 1);
  const listen = at === undefined ? DEFAULT_ENDPOINT : reader.listenAddress(at);
  let hasRuntimeMetrics = false;
  let webConfigFile = '';
  const table = {
    runtime_metrics: (property: Line) => {
      reader.arguments(property, 0, 0);
      hasRuntimeMetrics = true;
    },
    tls: (property: Line) => {
      if (webConfigFile !== '') throw reader.error(property.word, 'tls block already specified');
      webConfigFile = reader.argument(property).text;
    },
  };
  reader.properties(table, (word, known) => reader.unknownWord(word, `unknown option: ${word.text}`, known));
  return { ...listen, hasRuntimeMetrics, webConfigFile };
}
