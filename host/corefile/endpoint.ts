// `ADDRESS:PORT` texts, with Go's rules and words (net.SplitHostPort).

/** A text that is no endpoint; the message is Go's. */
export class EndpointError extends Error {
  override name = 'EndpointError';
}

export interface EndpointText {
  /** Without brackets; '' for `:8080`. A name or an address: not checked. */
  readonly address: string;
  readonly port: string;
}

/** `127.0.0.1:53`, `[::1]:53`, `:8080`. Throws EndpointError. */
export function splitEndpoint(text: string): EndpointText {
  const colon = text.lastIndexOf(':');
  if (colon < 0) throw refused(text, 'missing port in address');
  let address = text.slice(0, colon);
  if (text.startsWith('[')) {
    const bracket = text.indexOf(']');
    if (bracket < 0) throw refused(text, "missing ']' in address");
    if (bracket + 1 === text.length) throw refused(text, 'missing port in address');
    if (bracket + 1 !== colon) {
      throw refused(text, text[bracket + 1] === ':' ? 'too many colons in address' : 'missing port in address');
    }
    address = text.slice(1, bracket);
    if (address.includes('[')) throw refused(text, "unexpected '[' in address");
  } else {
    if (address.includes(':')) throw refused(text, 'too many colons in address');
    if (text.includes('[')) throw refused(text, "unexpected '[' in address");
    if (text.includes(']')) throw refused(text, "unexpected ']' in address");
  }
  return { address, port: text.slice(colon + 1) };
}

/** A decimal port number 0..65535, or undefined. */
export function portNumber(text: string): number | undefined {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  return port <= 65535 ? port : undefined;
}

function refused(text: string, reason: string): EndpointError {
  return new EndpointError(text === '' ? reason : `address ${text}: ${reason}`);
}
