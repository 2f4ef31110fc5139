// `kubernetes [ZONES...] { ... }` -> KubernetesConfig.

import type { DirectiveReader, Line } from '../../corefile/reader.ts';
import { IPV4_REVERSE_ZONE, IPV6_REVERSE_ZONE } from '../../dns/reverse.ts';

/** Plain data: it crosses to every shard. */
export type KubernetesConfig = {
  readonly zones: readonly string[];
  /** The first zone that is not a reverse zone: PTR records lead into it. */
  readonly primaryZone: string;
  /** URL of the API server, its first word if there were several. */
  readonly endpoint: string | undefined;
  /** The other words of `endpoint`: nobody uses them, and a warning says so. */
  readonly hasSpareEndpoints: boolean;
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
  readonly kubeconfig: { readonly file: string; readonly context: string | undefined } | undefined;
  readonly pods: PodMode;
  /** 0..3600 */
  readonly ttlSeconds: number;
  /** undefined = never, `.` = all names. */
  readonly fallthrough: readonly string[] | undefined;
  readonly startupTimeoutMs: number;
};

export type PodMode = 'disabled' | 'insecure' | 'verified';

const TTL_DEFAULT_SECONDS = 5;
const TTL_SECONDS_MAX = 3600;
const STARTUP_TIMEOUT_DEFAULT_MS = 5000;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export function parseKubernetes(reader: DirectiveReader): KubernetesConfig {
  const line = reader.once();
  const zones = reader.zones(line.args);
  const primaryZone = zones.find((zone) => !isReverseZone(zone));
  if (primaryZone === undefined) throw reader.error(line.word, 'non-reverse zone name must be used');
  const config: Mutable<KubernetesConfig> = {
    zones,
    primaryZone,
    endpoint: undefined,
    hasSpareEndpoints: false,
    tls: undefined,
    kubeconfig: undefined,
    pods: 'disabled',
    ttlSeconds: TTL_DEFAULT_SECONDS,
    fallthrough: undefined,
    startupTimeoutMs: STARTUP_TIMEOUT_DEFAULT_MS,
  };
  reader.properties(line, {
    ...accessProperties(reader, config),
    ...answerProperties(reader, config),
    ...later(reader),
  });
  return config;
}

function accessProperties(reader: DirectiveReader, config: Mutable<KubernetesConfig>) {
  return {
    endpoint: (property: Line) => {
      const [first, ...others] = reader.arguments(property, 1);
      config.endpoint = first!.text;
      config.hasSpareEndpoints = others.length > 0;
    },
    tls: (property: Line) => {
      const [cert, key, ca] = reader.arguments(property, 3, 3);
      config.tls = { cert: cert!.text, key: key!.text, ca: ca!.text };
    },
    kubeconfig: (property: Line) => {
      const [file, context] = reader.arguments(property, 1, 2);
      config.kubeconfig = { file: file!.text, context: context?.text };
    },
    startup_timeout: (property: Line) => {
      // CoreDNS takes the first word and ignores the rest.
      config.startupTimeoutMs = Math.max(0, reader.durationMs(reader.arguments(property, 1)[0]!));
    },
  };
}

function answerProperties(reader: DirectiveReader, config: Mutable<KubernetesConfig>) {
  return {
    pods: (property: Line) => {
      const token = reader.argument(property);
      const mode = POD_MODES.find((known) => known === token.text);
      if (mode === undefined) {
        throw reader.error(token, `wrong value for pods: ${token.text},  must be one of: disabled, verified, insecure`);
      }
      config.pods = mode;
    },
    ttl: (property: Line) => {
      const token = reader.arguments(property, 1)[0]!;
      const ttl = reader.integer(token);
      if (ttl < 0 || ttl > TTL_SECONDS_MAX) {
        throw reader.error(token, `ttl must be in range [0, ${TTL_SECONDS_MAX}]: ${ttl}`);
      }
      config.ttlSeconds = ttl;
    },
    fallthrough: (property: Line) => {
      config.fallthrough = property.args.length === 0 ? ['.'] : reader.zones(property.args);
    },
  };
}

const POD_MODES: readonly PodMode[] = ['disabled', 'insecure', 'verified'];

/** What CoreDNS has and this server does not have yet. */
const LATER: readonly string[] = [
  ...['namespaces', 'labels', 'namespace_labels', 'endpoint_pod_names', 'noendpoints', 'ignore', 'multicluster'],
  ...['zonal', 'apiserver_qps', 'apiserver_burst', 'apiserver_max_inflight'],
];

function later(reader: DirectiveReader): Record<string, (property: Line) => never> {
  const refuse = (property: Line) => {
    throw reader.notSupported(property.word);
  };
  return Object.fromEntries(LATER.map((word) => [word, refuse]));
}

/** The two whole reverse trees count as ordinary zones here, as in CoreDNS. */
function isReverseZone(zone: string): boolean {
  return zone.endsWith(`.${IPV4_REVERSE_ZONE}`) || zone.endsWith(`.${IPV6_REVERSE_ZONE}`);
}
