// Generator of plugin acl. The questions come from the loopback addresses.

import type { DirectiveGenerator } from './directives.ts';
import type { Words } from './words.ts';

const types = (w: Words): string =>
  w.value(
    [
      'A',
      'AAAA',
      'A AAAA',
      'MX',
      'TXT HTTPS',
      'SRV',
      'PTR SOA NS',
      'ANY',
      '*',
      'None',
      'Reserved CNAME',
      'A * x',
      'TXT',
    ],
    ['', 'a', 'TYPE65', 'x', 'A,AAAA', '1', '"A AAAA"'],
  );

const nets = (w: Words): string =>
  w.value(
    [
      ...['127.0.0.1', '127.0.0.0/8', '::1', '*', '0.0.0.0/0', '::/0', '10.0.0.0/8 192.0.2.0/24', '127.0.0.1 ::1'],
      ...['127.255.255.255/1', '128.0.0.0/1', '::ffff:127.0.0.1', '::ffff:127.0.0.0/100', '127.0.0.2/31 fd00::/8'],
      ...['10.0.0.0/8 127.0.0.0/30 127.0.0.1/32', '* x', '2001:db8::/32', '0.0.0.0/01', '127.0.0.2'],
    ],
    [
      '',
      'x',
      '127.0.0.0/33',
      '127.0.0.256',
      '1.2.3',
      '::1/129',
      '127.0.0.1/',
      'fe80::1%lo',
      '/8',
      '127.0.0.1/-1',
      '127.0.0.01',
    ],
  );

/** A question that is dropped costs its client a second, so few are. */
const policy = (w: Words): string => {
  const action = w.value(
    ['allow', 'allow', 'block', 'block', 'filter', 'filter', 'drop', 'Block', 'FILTER'],
    ['deny', 'blok', 'refuse', ''],
  );
  const sections = w.some([`type ${types(w)}`, `net ${nets(w)}`, `Net ${nets(w)}`, `TYPE ${types(w)}`], 0, 3);
  const isAll = !sections.some((section) => /^type/i.test(section));
  const narrow = action === 'drop' && isAll ? ['type MX'] : [];
  const extra = w.slip(0.04) ? [w.pick(['x', '{', 'types A', 'from ::1', 'type net', 'net'])] : [];
  return [action, ...narrow, ...sections, ...extra].join(' ').trim();
};

export const acl: DirectiveGenerator = (w) => {
  const one = () => {
    const zones = w.chance(0.5) ? ` ${w.zones(1, 2)}` : '';
    return w.block(
      `acl${zones}`,
      Array.from({ length: 3 }, () => policy(w)),
    );
  };
  return Array.from({ length: w.pick([1, 1, 1, 2, 3]) }, one).flat();
};
