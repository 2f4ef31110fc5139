// The file of `prometheus { tls FILE }`: Prometheus's web configuration (exporter-toolkit), as far as Node's TLS goes.

import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { createSecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls';
import { getSystemErrorMessage } from 'node:util';
import { parse } from 'yaml';
import { DurationError, parseDurationMs } from '../../corefile/duration.ts';
import { UserError } from '../../errors.ts';

export interface WebConfig {
  /** Absent: plain HTTP. */
  readonly tls: WebTls | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly rate: { readonly intervalMs: number; readonly burst: number } | undefined;
  /** bcrypt hashes by name. */
  readonly users: ReadonlyMap<string, string>;
}

export interface WebTls {
  readonly context: SecureContextOptions;
  readonly clients: ClientPolicy;
  /** Names of which a client's certificate must have one; undefined = any. */
  readonly allowedSans: readonly string[] | undefined;
}

/** Go's crypto/tls.ClientAuthType. */
export type ClientPolicy = 'none' | 'request' | 'require' | 'verify' | 'requireAndVerify';

const POLICIES: Readonly<Record<string, ClientPolicy>> = {
  '': 'none',
  NoClientCert: 'none',
  RequestClientCert: 'request',
  RequireAnyClientCert: 'require',
  RequireClientCert: 'require',
  VerifyClientCertIfGiven: 'verify',
  RequireAndVerifyClientCert: 'requireAndVerify',
};

const VERSIONS: Readonly<Record<string, SecureVersion>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};

const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
};

/** Go's cipher suites by OpenSSL's names. */
const CIPHERS: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
};

/** Headers that may be set, and the values of those that have few. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'Strict-Transport-Security': [],
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': [],
  'Content-Security-Policy': [],
};

/** Reads the file and what it names. Throws UserError. */
export function readWebConfig(path: string): WebConfig {
  const text = readText(path, path);
  const fields = ['tls_server_config', 'http_server_config', 'rate_limit', 'basic_auth_users'];
  const root = section(parseYaml(text), 'web.Config', fields);
  const http = section(root['http_server_config'], 'web.HTTPConfig', ['http2', 'headers']);
  const rate = section(root['rate_limit'], 'web.RateLimiterConfig', ['burst', 'interval']);
  const intervalMs = rate['interval'] === undefined ? 0 : durationOf(String(rate['interval']));
  return {
    tls: tlsOf(root['tls_server_config'], dirname(path)),
    headers: headersOf(http['headers']),
    rate: intervalMs === 0 ? undefined : { intervalMs, burst: Number(rate['burst'] ?? 0) },
    users: usersOf(root['basic_auth_users']),
  };
}

type Section = Readonly<Record<string, unknown>>;

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw new UserError(`yaml: ${(error as Error).message}`, { cause: error });
  }
}

/** A mapping with these fields and no others. */
function section(value: unknown, type: string, fields: readonly string[]): Section {
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    throw new UserError(`yaml: unmarshal errors: cannot unmarshal ${JSON.stringify(value)} into ${type}`);
  }
  for (const field of Object.keys(value)) {
    if (!fields.includes(field))
      throw new UserError(`yaml: unmarshal errors: field ${field} not found in type ${type}`);
  }
  return value as Section;
}

function tlsOf(value: unknown, folder: string): WebTls | undefined {
  const fields = section(value, 'web.TLSConfig', [
    ...['cert', 'key', 'client_ca', 'cert_file', 'key_file', 'client_auth_type', 'client_ca_file', 'cipher_suites'],
    ...['curve_preferences', 'min_version', 'max_version', 'prefer_server_cipher_suites', 'client_allowed_sans'],
  ]);
  const text = (name: string) => String(fields[name] ?? '');
  const given = ['cert_file', 'cert', 'key_file', 'key', 'client_ca_file', 'client_ca', 'client_auth_type'];
  if (given.every((name) => text(name) === '')) return undefined;
  if (text('cert_file') === '' && text('cert') === '') throw new UserError('missing one of cert or cert_file');
  if (text('key_file') === '' && text('key') === '') throw new UserError('missing one of key or key_file');
  const content = (name: string) => {
    const path = text(`${name}_file`);
    if (path === '') return text(name);
    return readText(isAbsolute(path) ? path : join(folder, path), `${name}_file (${path})`);
  };
  const clients = POLICIES[text('client_auth_type')];
  if (clients === undefined) throw new UserError(`invalid ClientAuth: ${text('client_auth_type')}`);
  const ca = content('client_ca');
  if (ca !== '' && clients === 'none') {
    throw new UserError("client CA's have been configured without a Client Auth Policy");
  }
  const context = { cert: content('cert'), key: content('key'), ...(ca !== '' && { ca }), ...limitsOf(fields) };
  try {
    createSecureContext(context);
  } catch (error) {
    throw new UserError(`failed to load X509KeyPair: ${(error as Error).message}`, { cause: error });
  }
  const sans = fields['client_allowed_sans'];
  return { context, clients, allowedSans: sans === undefined ? undefined : words(sans) };
}

function limitsOf(fields: Section): SecureContextOptions {
  const version = (name: string, otherwise: SecureVersion) => {
    const word = fields[name];
    return word === undefined ? otherwise : known(VERSIONS, String(word), 'TLS version');
  };
  const ciphers = words(fields['cipher_suites']).map((word) => known(CIPHERS, word, 'cipher'));
  const curves = words(fields['curve_preferences']).map((word) => known(CURVES, word, 'curve'));
  return {
    minVersion: version('min_version', 'TLSv1.2'),
    maxVersion: version('max_version', 'TLSv1.3'),
    honorCipherOrder: fields['prefer_server_cipher_suites'] !== false,
    ...(ciphers.length > 0 && { ciphers: ciphers.join(':') }),
    ...(curves.length > 0 && { ecdhCurve: curves.join(':') }),
  };
}

function known<T>(table: Readonly<Record<string, T>>, word: string, what: string): T {
  const value = Object.hasOwn(table, word) ? table[word] : undefined;
  if (value === undefined) throw new UserError(`unknown ${what}: ${word}`);
  return value;
}

function headersOf(value: unknown): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, text] of Object.entries((value ?? {}) as Section)) {
    const values = Object.hasOwn(HEADERS, name) ? HEADERS[name] : undefined;
    if (values === undefined) throw new UserError(`HTTP header ${JSON.stringify(name)} can not be configured`);
    if (values.length > 0 && !values.includes(String(text))) {
      const expected = values.map((each) => JSON.stringify(each)).join(' ');
      throw new UserError(
        `invalid value for ${name}. Expected one of: [${expected}], but got: ${JSON.stringify(text)}`,
      );
    }
    headers[name] = String(text);
  }
  return headers;
}

/** The forms of bcrypt that are in use, with costs that it knows. */
const BCRYPT = /^\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}$/;

function usersOf(value: unknown): ReadonlyMap<string, string> {
  const users = new Map<string, string>();
  for (const [name, text] of Object.entries((value ?? {}) as Section)) {
    const hash = String(text);
    if (!BCRYPT.test(hash))
      throw new UserError(`basic_auth_users: the password of ${JSON.stringify(name)} is no bcrypt hash`);
    users.set(name, hash);
  }
  return users;
}

function durationOf(text: string): number {
  try {
    return parseDurationMs(text);
  } catch (error) {
    if (error instanceof DurationError) throw new UserError(`yaml: unmarshal errors: ${error.message}`);
    throw error;
  }
}

function words(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

function readText(path: string, what: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const { errno, message } = error as NodeJS.ErrnoException;
    const reason = errno === undefined ? message : getSystemErrorMessage(errno);
    const head = what === path ? '' : `failed to read ${what}: `;
    throw new UserError(`${head}open ${path}: ${reason}`, { cause: error });
  }
}
