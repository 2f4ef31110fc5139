// prometheus [ADDRESS:PORT] { runtime_metrics; tls FILE }

import type { DirectiveReader, Line, ListenEndpoint } from '../../corefile/reader.ts';

export type PrometheusConfig = ListenEndpoint & {
  readonly hasRuntimeMetrics: boolean;
  /** Prometheus's web configuration, '' = plain HTTP for everybody. */
  readonly webConfigFile: string;
};

const DEFAULT_ENDPOINT: ListenEndpoint = { address: 'localhost', port: 9153, fault: undefined };

export function parsePrometheus(reader: DirectiveReader): PrometheusConfig {
  const line = reader.once();
  const [at] = reader.arguments(line, 0, 1);
  const listen = at === undefined ? DEFAULT_ENDPOINT : reader.listenAddress(at);
  let hasRuntimeMetrics = false;
  let webConfigFile = '';
  const table = {
    runtime_metrics: (property: Line) => {
      reader.arguments(property, 0, 0);
      reader.noBlock(property);
      hasRuntimeMetrics = true;
    },
    tls: (property: Line) => {
      if (webConfigFile !== '') throw reader.error(property.word, 'tls block already specified');
      webConfigFile = reader.argument(property).text;
    },
  };
  reader.properties(line, table, (word) => `unknown option: ${word}`);
  return { ...listen, hasRuntimeMetrics, webConfigFile };
}
