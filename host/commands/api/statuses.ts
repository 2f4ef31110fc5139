// Refusals, in the words of the API server.

import type { ServerResponse } from 'node:http';

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  410: 'Expired',
  422: 'Invalid',
  504: 'Timeout',
};

export function status(code: number, message: string): object {
  const reason = REASONS[code];
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason, code };
}

export function refuse(response: ServerResponse, code: number, message: string): void {
  response.writeHead(code, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(status(code, message)));
}

/** A version that is still to come: from another cluster, or from before this one was put back. */
export function refuseFuture(response: ServerResponse, asked: number, version: number): void {
  const details = { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }] };
  const refusal = status(504, `Too large resource version: ${asked}, current: ${version}`);
  response.writeHead(504, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify({ ...refusal, details: { ...details, retryAfterSeconds: 1 } }));
}

/** Undefined for a text that is no version. '' and '0' are 0: any will do. */
export function parseVersion(text: string): number | undefined {
  return /^\d{0,15}$/.test(text) ? Number(text) : undefined;
}
