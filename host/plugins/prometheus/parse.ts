// prometheus [ADDRESS:PORT] { runtime_metrics }

import type { DirectiveReader } from '../../corefile/reader.ts';

export type PrometheusConfig = {
  /** '' = all addresses. */
  readonly address: string;
  readonly port: number;
  readonly hasRuntimeMetrics: boolean;
};

const DEFAULT_ADDRESS = 'localhost';
const DEFAULT_PORT = 9153;

export function parsePrometheus(reader: DirectiveReader): PrometheusConfig {
  const line = reader.once();
  const [at] = reader.arguments(line, 0, 1);
  const listen = at === undefined ? { address: DEFAULT_ADDRESS, port: DEFAULT_PORT } : reader.listenAddress(at);
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
