// prometheus [ADDRESS:PORT] { runtime_metrics }

import type { DirectiveReader, ListenEndpoint } from '../../corefile/reader.ts';

export type PrometheusConfig = ListenEndpoint & {
  readonly hasRuntimeMetrics: boolean;
};

const DEFAULT_ENDPOINT: ListenEndpoint = { address: 'localhost', port: 9153, fault: undefined };

export function parsePrometheus(reader: DirectiveReader): PrometheusConfig {
  const line = reader.once();
  const [at] = reader.arguments(line, 0, 1);
  const listen = at === undefined ? DEFAULT_ENDPOINT : reader.listenAddress(at);
  let hasRuntimeMetrics = false;
  for (const property of line.properties) {
    switch (property.word.text) {
      case 'runtime_metrics':
        reader.arguments(property, 0, 0);
        reader.noProperties(property);
        hasRuntimeMetrics = true;
        break;
      case 'tls':
        throw reader.notSupported(property.word);
      default:
        throw reader.error(property.word, `unknown option: ${property.word.text}`);
    }
  }
  return { ...listen, hasRuntimeMetrics };
}
