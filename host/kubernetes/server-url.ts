// The address of an API server as client-go completes and judges it, in its words: they come from Go's package net/url.

/** A URL with scheme and host, or the reason why there is none. */
export type ServerUrl = { readonly url: string } | { readonly problem: string };

/**
 * `https://host:port/prefix`, `host:port` and `host` are addresses; without a scheme it is HTTP, or HTTPS where there are
 * certificates.
 */
export function serverUrl(text: string, isSecured: boolean): ServerUrl {
  const whole = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]+)/i.exec(text);
  if (whole !== null && hostProblem(whole[1]!) === undefined && escapeProblem(text) === undefined)
    return reachable(text);
  const completed = `${isSecured ? 'https' : 'http'}://${text}`;
  const [, host, path] = /^([^/?#]*)([^?#]*)/.exec(text)!;
  const problem = hostProblem(host!) ?? escapeProblem(path!);
  if (problem !== undefined) return { problem: `parse ${JSON.stringify(completed)}: ${problem}` };
  if (path !== '' && path !== '/') return { problem: noServer(text) };
  return reachable(completed);
}

/** Go takes some hosts that no resolver knows and Node's URL refuses. */
function reachable(url: string): ServerUrl {
  return URL.canParse(url) ? { url: url.replace(/\/+$/, '') } : { problem: noServer(url) };
}

function noServer(text: string): string {
  return `host must be a URL or a host:port pair: ${JSON.stringify(text)}`;
}

/** What is wrong with `user@host:port`. */
function hostProblem(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const bracket = host.startsWith('[') ? host.lastIndexOf(']') : 0;
  if (bracket < 0) return "missing ']' in host";
  const port = bracket > 0 ? host.slice(bracket + 1) : (/:[^:]*$/.exec(host)?.[0] ?? '');
  if (!/^(?::[0-9]*)?$/.test(port)) return `invalid port ${JSON.stringify(port)} after host`;
  const wrong = /%(?!25|[89a-f][0-9a-f]).{0,2}/i.exec(host)?.[0];
  if (wrong !== undefined) return `invalid URL escape ${JSON.stringify(wrong)}`;
  const character = /[^\w\-.~!$&'()*+,;=:[\]<>"%\u0080-\uffff]/.exec(host)?.[0];
  return character === undefined ? undefined : `invalid character ${JSON.stringify(character)} in host name`;
}

function escapeProblem(path: string): string | undefined {
  const wrong = /%(?![0-9a-f]{2}).{0,2}/i.exec(path)?.[0];
  return wrong === undefined ? undefined : `invalid URL escape ${JSON.stringify(wrong)}`;
}
