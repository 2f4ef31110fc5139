import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CacheConfig, parseCache } from '../../../host/plugins/cache/parse.ts';
import { readerOf } from '../../corefile/reader-of.ts';

const parse = (body: string): CacheConfig => parseCache(readerOf('cache', body));
const withLines = (...lines: readonly string[]): string => ` cache {\n${lines.join('\n')}\n }`;

const DEFAULTS: CacheConfig = {
  zones: ['.', 'example.org.'],
  success: { entries: 9984, minSeconds: 5, maxSeconds: 3600 },
  denial: { entries: 9984, minSeconds: 5, maxSeconds: 1800 },
  servfailSeconds: 5,
  disableSuccess: [],
  disableDenial: [],
};

const RIGHT: readonly (readonly [body: string, expected: Partial<CacheConfig>])[] = [
  [' cache', {}],
  [' cache { }', {}],
  [' cache abc', { zones: ['abc.'] }],
  [' cache 30', { success: { ...DEFAULTS.success, maxSeconds: 30 }, denial: { ...DEFAULTS.denial, maxSeconds: 30 } }],
  [
    ' cache 2147483647 A.org 10.0.0.0/15 b..c',
    {
      success: { ...DEFAULTS.success, maxSeconds: 2147483647 },
      denial: { ...DEFAULTS.denial, maxSeconds: 2147483647 },
      zones: ['a.org.', '0.10.in-addr.arpa.', '1.10.in-addr.arpa.'],
    },
  ],
  [withLines('success 5000'), { success: { entries: 4864, minSeconds: 5, maxSeconds: 3600 } }],
  [withLines('success 0'), { success: { entries: 1024, minSeconds: 5, maxSeconds: 3600 } }],
  [withLines('success -7'), { success: { entries: 1024, minSeconds: 5, maxSeconds: 3600 } }],
  [withLines('success 1280 60 0'), { success: { entries: 1280, minSeconds: 0, maxSeconds: 60 } }],
  [withLines('denial 2000 60 10'), { denial: { entries: 1792, minSeconds: 10, maxSeconds: 60 } }],
  [
    withLines('denial 2000 60 10', 'denial 3000', 'success 1 2'),
    {
      denial: { entries: 2816, minSeconds: 10, maxSeconds: 60 },
      success: { entries: 1024, minSeconds: 5, maxSeconds: 2 },
    },
  ],
  [withLines('servfail 0'), { servfailSeconds: 0 }],
  [withLines('servfail 1m30s'), { servfailSeconds: 90 }],
  [withLines('servfail 5m'), { servfailSeconds: 300 }],
  [withLines('servfail 1999ms'), { servfailSeconds: 1 }],
  [withLines('disable success'), { disableSuccess: ['.'] }],
  [
    withLines('disable denial A.org b', 'disable success c', 'disable denial d'),
    { disableDenial: ['d.'], disableSuccess: ['c.'] },
  ],
];

for (const [body, expected] of RIGHT) {
  test(`cache takes: ${body.replaceAll(/\s+/g, ' ')}`, () => {
    assert.deepEqual(parse(body), { ...DEFAULTS, ...expected });
  });
}

const ARGUMENTS = 'Wrong argument count or unexpected line ending after';
const WRONG: readonly (readonly [body: string, line: number, word: string, text: string])[] = [
  [' cache 0', 2, '0', 'cache TTL can not be zero or negative: 0'],
  [' cache -5', 2, '-5', 'cache TTL can not be zero or negative: -5'],
  [' cache 2147483648', 2, '2147483648', 'cache TTL can not exceed 2147483647: 2147483648'],
  [' cache\n cache', 3, 'cache', 'this plugin can only be used once per Server Block'],
  [withLines('nosuch'), 3, 'nosuch', "unknown property 'nosuch'"],
  [withLines('success'), 3, 'success', `${ARGUMENTS} 'success'`],
  [withLines('success 1 2 3 4'), 3, '4', `${ARGUMENTS} '4'`],
  [withLines('success x'), 3, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [withLines('success 1 0'), 3, '0', 'cache TTL can not be zero or negative: 0'],
  [withLines('success 1 x'), 3, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [withLines('success 1 2 -1'), 3, '-1', 'cache min TTL can not be negative: -1'],
  [withLines('success 4294967296'), 3, '4294967296', 'cache capacity can not exceed 2147483647: 4294967296'],
  [withLines('success 1 {', 'x', '}'), 4, 'x', "unknown property 'x'"],
  [withLines('denial'), 3, 'denial', `${ARGUMENTS} 'denial'`],
  [withLines('denial 1 -1'), 3, '-1', 'cache TTL can not be zero or negative: -1'],
  [withLines('denial 1 2 4294967296'), 3, '4294967296', 'cache min TTL can not exceed 2147483647: 4294967296'],
  [withLines('servfail'), 3, 'servfail', `${ARGUMENTS} 'servfail'`],
  [withLines('servfail 5'), 3, '5', 'time: missing unit in duration "5"'],
  [withLines('servfail 1s 2s'), 3, '2s', `${ARGUMENTS} '2s'`],
  [withLines('servfail -1s'), 3, '-1s', "invalid negative ttl for servfail: '-1s'"],
  [withLines('servfail 5m1ms'), 3, '5m1ms', "caching SERVFAIL responses over 5 minutes is not permitted: '5m1ms'"],
  [withLines('disable'), 3, 'disable', `${ARGUMENTS} 'disable'`],
  [withLines('disable other'), 3, 'other', `cache type for disable must be "success" or "denial": 'other'`],
  [withLines('disable success a..b'), 3, 'a..b', 'invalid disabled zone: a..b'],
  [withLines('prefetch 10'), 3, 'prefetch', "'prefetch' is not supported yet"],
  [withLines('servfail 1s', 'serve_stale 1h immediate'), 4, 'serve_stale', "'serve_stale' is not supported yet"],
  [
    withLines('serve_stale_policy prefer_positive'),
    3,
    'serve_stale_policy',
    "'serve_stale_policy' is not supported yet",
  ],
  [withLines('keepttl'), 3, 'keepttl', "'keepttl' is not supported yet"],
];

for (const [body, line, word, text] of WRONG) {
  test(`cache refuses: ${body.replaceAll(/\s+/g, ' ')}`, () => {
    const message = `plugin/cache: Corefile:${line} - Error during parsing: ${text}`;
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word, message });
  });
}
