// Addresses of a host name that stands among the TO words, looked up once, when the configuration is taken: through the
// stanza's `resolver`, or as the system does it (hosts file, resolv.conf).

import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { CLASS_IN, FLAG_QR, FLAG_RD, TYPE_A, TYPE_AAAA } from '../../../engine-as/shared/codes.ts';
import { addressText } from '../../dns/address.ts';
import { composeMessage, MessageError, parseMessage } from '../../dns/message.ts';
import { composeName, nameText } from '../../dns/name.ts';
import { UserError } from '../../errors.ts';
import type { RandomIds } from './ids.ts';
import { dialProblem, type UpstreamTarget } from './targets.ts';

const TIMEOUT_MS = 2000;

/** Texts of the host's addresses, at least one. Rejects with UserError in CoreDNS's words. */
export async function lookUpHost(
  host: string,
  resolvers: readonly UpstreamTarget[],
  ids: RandomIds,
): Promise<readonly string[]> {
  try {
    return resolvers.length === 0 ? await lookUpInSystem(host) : await askResolvers(host, resolvers, ids);
  } catch (error) {
    if (!(error instanceof LookupError)) throw error;
    throw new UserError(`failed to resolve ${JSON.stringify(host)}: ${error.message}`);
  }
}

class LookupError extends Error {
  override name = 'LookupError';
}

async function lookUpInSystem(host: string): Promise<readonly string[]> {
  if (!mayBeLookedUp(host)) throw new LookupError(`lookup ${host}: no such host`);
  try {
    const found = await lookup(host, { all: true, order: 'verbatim' });
    return found.map(({ address }) => address);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === 'ENOTFOUND'
        ? 'no such host'
        : code === 'EAI_AGAIN'
          ? 'Temporary failure in name resolution'
          : errorText(error);
    throw new LookupError(`lookup ${host}: ${reason}`);
  }
}

/** Go looks up nothing that cannot be a host's name; the system would take `127.1` for an address. */
function mayBeLookedUp(host: string): boolean {
  return /^(?!\.)(?=.*[a-z_-])[a-z0-9_.-]{1,254}$/i.test(host);
}

/** Each resolver is asked for A, then AAAA; the first one that knows an address decides. */
async function askResolvers(
  host: string,
  resolvers: readonly UpstreamTarget[],
  ids: RandomIds,
): Promise<readonly string[]> {
  let failure = '';
  for (const resolver of resolvers) {
    const addresses: string[] = [];
    try {
      addresses.push(...(await ask(host, TYPE_A, resolver, ids)));
      addresses.push(...(await ask(host, TYPE_AAAA, resolver, ids)));
    } catch (error) {
      if (!(error instanceof LookupError)) throw error;
      // Without AAAA what A has brought is good enough
      if (addresses.length === 0) failure = `: ${error.message}`;
    }
    if (addresses.length > 0) return addresses;
  }
  throw new LookupError(`no addresses found for ${JSON.stringify(host)}${failure}`);
}

/** One question over UDP; addresses of the whole answer section, whoever owns them. */
async function ask(host: string, type: number, resolver: UpstreamTarget, ids: RandomIds): Promise<string[]> {
  const problem = dialProblem(resolver, 'udp');
  if (problem !== undefined) throw new LookupError(problem);
  const id = ids.next();
  const wire = composeName(host.endsWith('.') ? host : `${host}.`);
  const query = composeMessage({
    id,
    flags: FLAG_RD,
    questions: [{ name: nameText(wire), type, class: CLASS_IN, wire }],
    answer: [],
    authority: [],
    additional: [],
    edns: undefined,
  });
  const { answer } = await exchange(query, id, resolver);
  return answer
    .filter((record) => record.type === type && record.class === CLASS_IN)
    .map(({ rdata }) => addressText(rdata));
}

type Reply = ReturnType<typeof parseMessage>;

function exchange(query: Uint8Array, id: number, { address, port, text }: UpstreamTarget): Promise<Reply> {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const fail = (reason: string): void => reject(new LookupError(`read udp ${localOf(socket)}->${text}: ${reason}`));
  const timer = setTimeout(() => fail('i/o timeout'), TIMEOUT_MS);
  socket.on('error', (error) => fail(`read: ${errorText(error)}`));
  socket.on('message', (octets) => {
    try {
      const reply = parseMessage(octets);
      if (reply.id === id && (reply.flags & FLAG_QR) !== 0) resolve(reply);
    } catch (error) {
      if (error instanceof MessageError) reject(new LookupError(error.message));
      else reject(error);
    }
  });
  socket.connect(port, address, () => socket.send(query, (error) => error && fail(`read: ${errorText(error)}`)));
  return promise.finally(() => {
    clearTimeout(timer);
    socket.close();
  });
}

function localOf(socket: Socket): string {
  try {
    const { address, port } = socket.address();
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  } catch {
    return '';
  }
}

/** As Go says it, for what happens between hosts. */
function errorText(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') return 'connection refused';
  return code === 'ENETUNREACH' ? 'network is unreachable' : message;
}
