// `kubernetes [ZONES...] { ... }` -> KubernetesConfig.

import { DurationError, parseDurationMs } from '../../corefile/duration.ts';
import type { DirectiveReader, Line, Token } from '../../corefile/reader.ts';
import { isInZone } from '../../dns/name.ts';
import { IPV4_REVERSE_ZONE, IPV6_REVERSE_ZONE } from '../../dns/reverse.ts';
import { parseSelector, type Requirement, SelectorError } from '../../kubernetes/label-selector.ts';
import { goFloat } from './go-float.ts';

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
  /** Names of the namespaces that are answered for, as written; [] = all. */
  readonly namespaces: readonly string[];
  /** Selectors of what is watched: services, slices and pods; namespaces and service imports. */
  readonly labels: readonly Requirement[] | undefined;
  readonly namespaceLabels: readonly Requirement[] | undefined;
  readonly pods: PodMode;
  /** Endpoints without a hostname are named by their pods. */
  readonly usesPodNames: boolean;
  readonly hasEndpoints: boolean;
  readonly ignoresEmptyServices: boolean;
  /** Names of headless services for the endpoints of one topology zone. */
  readonly isZonal: boolean;
  /** Those of `zones` that hold services of a cluster set. */
  readonly multiclusterZones: readonly string[];
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
  return reader.once((line) => parseStanza(reader, line));
}

function parseStanza(reader: DirectiveReader, line: Line): KubernetesConfig {
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
    namespaces: [],
    labels: undefined,
    namespaceLabels: undefined,
    pods: 'disabled',
    usesPodNames: false,
    hasEndpoints: true,
    ignoresEmptyServices: false,
    isZonal: false,
    multiclusterZones: [],
    ttlSeconds: TTL_DEFAULT_SECONDS,
    fallthrough: undefined,
    startupTimeoutMs: STARTUP_TIMEOUT_DEFAULT_MS,
  };
  const places = reader.properties({
    ...accessProperties(reader, config),
    ...limitProperties(reader),
    ...watchProperties(reader, config),
    ...nameProperties(reader, config),
    ...answerProperties(reader, config),
  });
  checkTogether(reader, places, config);
  // What lies below a zone of the set belongs to it, as in CoreDNS.
  const { multiclusterZones } = config;
  config.multiclusterZones = zones.filter((zone) => multiclusterZones.some((above) => isInZone(zone, above)));
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
      const token = reader.arguments(property, 1)[0]!;
      config.startupTimeoutMs = startupTimeoutMs(reader, token);
    },
  };
}

function startupTimeoutMs(reader: DirectiveReader, token: Token): number {
  try {
    return parseDurationMs(token.text);
  } catch (error) {
    if (!(error instanceof DurationError)) throw error;
    throw reader.error(token, `failed to parse startup_timeout: ${token.text}, ${error.message}`);
  }
}

/** Limits of the client. CoreDNS sets them when its client is made already: they are checked and do nothing. */
function limitProperties(reader: DirectiveReader) {
  const integer = (property: Line) => {
    const { word } = property;
    const token = reader.argument(property);
    const value = reader.maybeInteger(token);
    if (value === undefined || !isInt64(token.text)) {
      const fault = value === undefined ? 'invalid syntax' : 'value out of range';
      const text = `strconv.Atoi: parsing ${JSON.stringify(token.text)}: ${fault}`;
      throw reader.error(token, `invalid ${word.text} ${JSON.stringify(token.text)}: ${text}`);
    }
    if (value < 0) throw reader.error(token, `${word.text} must be >= 0`);
  };
  return {
    apiserver_qps: (property: Line) => {
      const token = reader.argument(property);
      const value = goFloat(token.text, 32);
      if (typeof value === 'string') {
        const text = `strconv.ParseFloat: parsing ${JSON.stringify(token.text)}: ${value}`;
        throw reader.error(token, `invalid apiserver_qps ${JSON.stringify(token.text)}: ${text}`);
      }
      if (value < 0) throw reader.error(token, 'apiserver_qps must be >= 0');
    },
    apiserver_burst: integer,
    apiserver_max_inflight: integer,
  };
}

function isInt64(text: string): boolean {
  const value = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, value) === value;
}

/** What is watched, and what of it is shown. */
function watchProperties(reader: DirectiveReader, config: Mutable<KubernetesConfig>) {
  return {
    namespaces: (property: Line) => {
      const names = reader.arguments(property, 1).map(({ text }) => text);
      config.namespaces = [...new Set([...config.namespaces, ...names])];
    },
    labels: (property: Line) => {
      config.labels = selectorOf(reader, property, 'label');
    },
    namespace_labels: (property: Line) => {
      config.namespaceLabels = selectorOf(reader, property, 'namespace_label');
    },
    noendpoints: (property: Line) => {
      reader.arguments(property, 0, 0);
      config.hasEndpoints = false;
    },
  };
}

function selectorOf(reader: DirectiveReader, property: Line, what: string): readonly Requirement[] {
  const text = reader
    .arguments(property, 1)
    .map((token) => token.text)
    .join(' ');
  try {
    return parseSelector(text);
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw reader.error(property.args[0]!, `unable to parse ${what} selector value: '${text}': ${error.message}`);
  }
}

/** Which names there are. */
function nameProperties(reader: DirectiveReader, config: Mutable<KubernetesConfig>) {
  return {
    endpoint_pod_names: (property: Line) => {
      reader.arguments(property, 0, 0);
      config.usesPodNames = true;
    },
    zonal: (property: Line) => {
      reader.arguments(property, 0, 0);
      config.isZonal = true;
    },
    ignore: (property: Line) => {
      // Without a word CoreDNS ignores nothing, and says nothing.
      const [token] = property.args;
      if (token === undefined) return;
      if (token.text !== 'empty_service')
        throw reader.unknownWord(token, `unable to parse ignore value: '${token.text}'`, ['empty_service']);
      config.ignoresEmptyServices = true;
    },
    multicluster: (property: Line) => {
      config.multiclusterZones = property.args.length === 0 ? [] : reader.zones(property.args);
    },
    pods: (property: Line) => {
      const token = reader.argument(property);
      const mode = POD_MODES.find((known) => known === token.text);
      if (mode === undefined) {
        const text = `wrong value for pods: ${token.text},  must be one of: disabled, verified, insecure`;
        throw reader.unknownWord(token, text, POD_MODES);
      }
      config.pods = mode;
    },
  };
}

function answerProperties(reader: DirectiveReader, config: Mutable<KubernetesConfig>) {
  return {
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

/** Options that exclude each other. */
function checkTogether(reader: DirectiveReader, places: ReadonlyMap<string, Token>, config: KubernetesConfig): void {
  const last = (word: string) => places.get(word)!;
  if (config.namespaces.length > 0 && config.namespaceLabels !== undefined) {
    throw reader.error(last('namespace_labels'), 'namespaces and namespace_labels cannot both be set');
  }
  for (const zone of config.multiclusterZones) {
    if (config.zones.includes(zone)) continue;
    const all = `(authoritative zones: [${config.zones.join(' ')}])`;
    throw reader.error(last('multicluster'), `is not authoritative for the multicluster zone ${zone} ${all}`);
  }
  if (config.isZonal && !config.hasEndpoints) {
    throw reader.error(last('zonal'), 'zonal requires the endpoint cache; remove noendpoints');
  }
  if (config.startupTimeoutMs <= 0) {
    // There the process panics as soon as it starts.
    reader.refuseLast(reader.error(last('startup_timeout'), 'startup_timeout must be positive'));
  }
}

/** The two whole reverse trees count as ordinary zones here, as in CoreDNS. */
function isReverseZone(zone: string): boolean {
  return zone.endsWith(`.${IPV4_REVERSE_ZONE}`) || zone.endsWith(`.${IPV6_REVERSE_ZONE}`);
}
