// Damage for replies on their way to the client: each kind is a difference that the suite has to find.

export type Damage = (reply: Uint8Array) => Uint8Array | undefined;

interface Place {
  readonly section: 'answer' | 'authority' | 'additional';
  readonly start: number;
  /** Of the type; TTL, length and rdata follow at fixed distances. */
  readonly fixed: number;
  readonly end: number;
  readonly type: number;
}

const SECTIONS = ['answer', 'authority', 'additional'] as const;
const OPT = 41;

/** Damages by name; `undefined` instead of a reply is silence. Replies that a kind does not fit stay as they are. */
export const DAMAGES: Readonly<Record<string, Damage>> = {
  'wrong TTL': (reply) =>
    at(reply, 'answer', (copy, place) => {
      copy[place.fixed + 7] = copy[place.fixed + 7]! ^ 8;
    }),
  'missing AA': (reply) => change(reply, (copy) => clear(copy, 2, 0x04)),
  'missing RA': (reply) => change(reply, (copy) => clear(copy, 3, 0x80)),
  'wrong TC': (reply) =>
    change(reply, (copy) => {
      copy[2] = copy[2]! ^ 0x02;
    }),
  'wrong rcode': (reply) =>
    change(reply, (copy) => {
      if ((copy[3]! & 0x0f) === 3) copy[3] = copy[3]! & 0xf0;
    }),
  'lost OPT option': (reply) => withOpt(reply, (copy, opt) => cutOption(copy, opt)),
  'wrong OPT size': (reply) =>
    withOpt(reply, (copy, opt) => {
      copy[opt.fixed + 3] = copy[opt.fixed + 3]! ^ 1;
      return copy;
    }),
  'unsorted order': swapAnswers,
  'missing answer': (reply) => remove(reply, 'answer'),
  'missing authority': (reply) => remove(reply, 'authority'),
  'wrong additional': (reply) =>
    at(reply, 'additional', (copy, place) => {
      if (place.type !== OPT) copy[place.end - 1] = copy[place.end - 1]! ^ 1;
    }),
  'wrong id': (reply) => change(reply, (copy) => copy.set([copy[0]! ^ 1], 0)),
  'question in lower case': (reply) =>
    change(reply, (copy) => {
      for (let n = 12; n < copy.length && copy[n] !== 0; n++)
        if (copy[n]! >= 65 && copy[n]! <= 90) copy[n] = copy[n]! + 32;
    }),
  'octets behind the end': (reply) => Buffer.concat([reply, Uint8Array.of(0)]),
  'cut message': (reply) => reply.subarray(0, Math.max(12, reply.length - 1)),
  'no reply': () => undefined,
};

function change(reply: Uint8Array, edit: (copy: Uint8Array) => void): Uint8Array {
  const copy = Uint8Array.from(reply);
  if (copy.length >= 12) edit(copy);
  return copy;
}

function clear(copy: Uint8Array, index: number, mask: number): void {
  copy[index] = copy[index]! & ~mask;
}

function at(reply: Uint8Array, section: Place['section'], edit: (copy: Uint8Array, place: Place) => void): Uint8Array {
  const place = placesOf(reply).find((each) => each.section === section);
  return place === undefined ? reply : change(reply, (copy) => edit(copy, place));
}

function withOpt(reply: Uint8Array, edit: (copy: Uint8Array, opt: Place) => Uint8Array): Uint8Array {
  const opt = placesOf(reply).find(({ type }) => type === OPT);
  return opt === undefined ? reply : edit(Uint8Array.from(reply), opt);
}

/** Without the first option. */
function cutOption(copy: Uint8Array, opt: Place): Uint8Array {
  const rdata = opt.fixed + 10;
  if (opt.end - rdata < 4) return copy;
  const view = new DataView(copy.buffer);
  const bytes = 4 + view.getUint16(rdata + 2);
  view.setUint16(opt.fixed + 8, opt.end - rdata - bytes);
  return Buffer.concat([copy.subarray(0, rdata), copy.subarray(rdata + bytes)]);
}

function swapAnswers(reply: Uint8Array): Uint8Array {
  const [first, second] = placesOf(reply).filter(({ section }) => section === 'answer');
  if (first === undefined || second === undefined) return reply;
  const parts = [
    reply.subarray(0, first.start),
    reply.subarray(second.start, second.end),
    reply.subarray(first.start, first.end),
    reply.subarray(second.end),
  ];
  return Buffer.concat(parts);
}

/** Without the last record of the section. */
function remove(reply: Uint8Array, section: Place['section']): Uint8Array {
  const place = placesOf(reply).findLast((each) => each.section === section);
  if (place === undefined) return reply;
  const copy = Uint8Array.from(Buffer.concat([reply.subarray(0, place.start), reply.subarray(place.end)]));
  const count = 6 + 2 * SECTIONS.indexOf(section);
  copy[count + 1] = copy[count + 1]! - 1;
  return copy;
}

function placesOf(message: Uint8Array): Place[] {
  if (message.length < 12) return [];
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  let offset = 12;
  for (let n = view.getUint16(4); n > 0; n--) offset = endOfName(message, offset) + 4;
  const places: Place[] = [];
  for (const [index, section] of SECTIONS.entries()) {
    for (let n = view.getUint16(6 + 2 * index); n > 0 && offset + 10 < message.length; n--) {
      const fixed = endOfName(message, offset);
      const end = fixed + 10 + view.getUint16(fixed + 8);
      places.push({ section, start: offset, fixed, end, type: view.getUint16(fixed) });
      offset = end;
    }
  }
  return places;
}

function endOfName(message: Uint8Array, start: number): number {
  let offset = start;
  while (offset < message.length) {
    const bytes = message[offset]!;
    if (bytes >= 0xc0) return offset + 2;
    offset += bytes + 1;
    if (bytes === 0) return offset;
  }
  return offset;
}
