// CoreDNS plugin bufsize: replies over UDP no larger than the network carries in one piece, whatever a client offers.
// The size is lowered in the query itself, so that plugins below, upstreams and the reply's OPT show it.

import type { Directive, Plugin } from '../../plugin/contract.ts';
import { type BufsizeConfig, parseBufsize } from './parse.ts';

export const bufsize: Directive<BufsizeConfig> = {
  name: 'bufsize',
  parse: parseBufsize,
  compile: ({ payloadBytes }, program) => program.bufsize(payloadBytes),
  create: ({ payloadBytes }): Plugin => ({
    name: 'bufsize',
    answer: (query, next) => {
      const { edns } = query.message;
      if (edns === undefined || edns.payloadBytes <= payloadBytes) return next(query);
      return next({ ...query, message: { ...query.message, edns: { ...edns, payloadBytes } } });
    },
  }),
};
