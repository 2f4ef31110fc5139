// Plugin whoami: describes the client in the additional section. Ends the chain: it answers every name and type.

import {
  FLAG_AA,
  NAME_BYTES_MAX,
  RCODE_NOERROR,
  TYPE_A,
  TYPE_AAAA,
  TYPE_SRV,
} from '../../../engine-as/shared/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { composeName, nameText } from '../../dns/name.ts';
import { composeAddress, composeSrv } from '../../dns/rdata.ts';
import type { Answer, Directive, Plugin, Query } from '../../plugin/contract.ts';
import { parseWhoami, type WhoamiConfig } from './parse.ts';

export const whoami: Directive<WhoamiConfig> = {
  name: 'whoami',
  parse: parseWhoami,
  compile: (_config, program) => program.whoami(),
  create: () => PLUGIN,
};

const PLUGIN: Plugin = {
  name: 'whoami',
  answer: async (query) => describeClient(query),
};

function describeClient(query: Query): Answer {
  return {
    kind: 'answer',
    rcode: RCODE_NOERROR,
    flags: FLAG_AA,
    answer: [],
    authority: [],
    additional: [addressRecord(query), ...portRecord(query)],
    from: 'whoami',
  };
}

/** A or AAAA at the qname, spelled as the client spelled it. */
function addressRecord(query: Query): ResourceRecord {
  const address = query.remote.address.replace(/%.*$/, '');
  const type = query.remote.family === 4 ? TYPE_A : TYPE_AAAA;
  return { ...ownerOf(spelledQname(query)), type, class: query.class, ttl: 0, rdata: composeAddress(address) };
}

/** SRV at `_udp.QNAME` or `_tcp.QNAME`; none when that name would be too long. */
function portRecord(query: Query): ResourceRecord[] {
  const wire = Uint8Array.of(4, ...Buffer.from(`_${query.proto}`), ...spelledQname(query));
  if (wire.length > NAME_BYTES_MAX) return [];
  const rdata = composeSrv({ priority: 0, weight: 0, port: query.remote.port, target: '.' });
  return [{ ...ownerOf(wire), type: TYPE_SRV, class: query.class, ttl: 0, rdata }];
}

function ownerOf(wire: Uint8Array): { name: string; wire: Uint8Array } {
  return { name: nameText(wire), wire };
}

function spelledQname(query: Query): Uint8Array {
  return query.message.questions[0]?.wire ?? composeName(query.name);
}
