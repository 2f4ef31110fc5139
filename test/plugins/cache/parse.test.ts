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
  servfailMs: 5000,
  disableSuccess: [],
  disableDenial: [],
  keepTtl: false,
  prefetch: { amount: 0, windowMs: 60_000, percent: 10 },
  stale: { seconds: 0, verifies: false, ttlSeconds: 0, recheckMs: 0, prefersPositive: false },
  verifyTimeoutMs: 0,
};

const stale = (more: Partial<CacheConfig['stale']>, verifyTimeoutMs = 0) => ({
  stale: { ...DEFAULTS.stale, seconds: 3600, ...more },
  verifyTimeoutMs,
});
const prefetch = (amount: number, windowMs = 60_000, percent = 10) => ({ prefetch: { amount, windowMs, percent } });

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
  [withLines('servfail 0'), { servfailMs: 0 }],
  [withLines('servfail 1m30s'), { servfailMs: 90_000 }],
  [withLines('servfail 5m'), { servfailMs: 300_000 }],
  [withLines('servfail 1999ms'), { servfailMs: 1999 }],
  [
    ' cache 99999999999',
    {
      success: { ...DEFAULTS.success, maxSeconds: 2147483647 },
      denial: { ...DEFAULTS.denial, maxSeconds: 2147483647 },
    },
  ],
  [withLines('success 4294967296'), { success: { entries: 2147483392, minSeconds: 5, maxSeconds: 3600 } }],
  [withLines('keepttl'), { keepTtl: true }],
  [withLines('prefetch 10'), prefetch(10)],
  [withLines('prefetch 0'), prefetch(0)],
  [withLines('prefetch 3 30s'), prefetch(3, 30_000)],
  [withLines('prefetch 3 -1s'), prefetch(3, -1000)],
  [withLines('prefetch 3 100000h'), prefetch(3, 2147483647)],
  [withLines('prefetch 3 30s 25%'), prefetch(3, 30_000, 25)],
  [withLines('prefetch 3 30s 10%', 'prefetch 4'), prefetch(4, 30_000, 10)],
  [withLines('prefetch 3 1m +90%'), prefetch(3, 60_000, 90)],
  [withLines('serve_stale'), stale({})],
  [withLines('serve_stale 0s'), stale({ seconds: 0 })],
  [withLines('serve_stale 1m1500ms'), stale({ seconds: 61 })],
  [withLines('serve_stale 1h immediate'), stale({})],
  [withLines('serve_stale 1h IMMEDIATE 30s'), stale({ ttlSeconds: 30 })],
  [withLines('serve_stale 1h immediate 0s 5m'), stale({ recheckMs: 300_000 })],
  [withLines('serve_stale 1h verify'), stale({ verifies: true })],
  [withLines('serve_stale 2h Verify 1500ms'), stale({ verifies: true, seconds: 7200 }, 1500)],
  [
    withLines('serve_stale 1h verify 0s 4294967295s 1s'),
    stale({ verifies: true, ttlSeconds: 4294967294, recheckMs: 1000 }),
  ],
  [withLines('serve_stale 1h verify 2s 30s 10s', 'serve_stale 1m'), stale({ seconds: 60 })],
  [withLines('serve_stale_policy PREFER_positive', 'serve_stale'), stale({ prefersPositive: true })],
  [withLines('success 1280 60 0 x y'), { success: { entries: 1280, minSeconds: 0, maxSeconds: 60 } }],
  [withLines('disable denial a..b c', 'disable success a..b'), { disableDenial: ['c.'], disableSuccess: [] }],
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
  [' cache\n cache', 3, 'cache', 'this plugin can only be used once per Server Block'],
  [withLines('nosuch'), 3, 'nosuch', `${ARGUMENTS} 'nosuch'`],
  [withLines('sucess 1'), 3, 'sucess', `${ARGUMENTS} 'sucess', did you mean "success"?`],
  [withLines('success'), 3, 'success', `${ARGUMENTS} 'success'`],
  [withLines('success x'), 3, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [withLines('success 1 0'), 3, '0', 'cache TTL can not be zero or negative: 0'],
  [withLines('success 1 x'), 3, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [withLines('success 1 2 -1'), 3, '-1', 'cache min TTL can not be negative: -1'],
  [withLines('success 1 {', 'x', '}'), 3, '{', "Unexpected token '{', expecting argument"],
  [withLines('denial'), 3, 'denial', `${ARGUMENTS} 'denial'`],
  [withLines('denial 1 -1'), 3, '-1', 'cache TTL can not be zero or negative: -1'],
  [withLines('servfail'), 3, 'servfail', `${ARGUMENTS} 'servfail'`],
  [withLines('servfail 5'), 3, '5', 'time: missing unit in duration "5"'],
  [withLines('servfail 1s 2s'), 3, '2s', `${ARGUMENTS} '2s'`],
  [withLines('servfail -1s'), 3, '-1s', "invalid negative ttl for servfail: '-1s'"],
  [withLines('servfail 5m1ms'), 3, '5m1ms', "caching SERVFAIL responses over 5 minutes is not permitted: '5m1ms'"],
  [withLines('disable'), 3, 'disable', `${ARGUMENTS} 'disable'`],
  [withLines('disable other'), 3, 'other', `cache type for disable must be "success" or "denial": 'other'`],
  [withLines('prefetch'), 3, 'prefetch', `${ARGUMENTS} 'prefetch'`],
  [withLines('prefetch 1 1m 10% 4'), 3, '4', `${ARGUMENTS} '4'`],
  [withLines('prefetch x'), 3, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [withLines('prefetch -1'), 3, '-1', 'prefetch amount should be positive: -1'],
  [withLines('prefetch 1 1'), 3, '1', 'time: missing unit in duration "1"'],
  [withLines('prefetch 1 1m 10'), 3, '10', "last character of percentage should be `%`, but is: '0'"],
  [withLines('prefetch 1 1m x%'), 3, 'x', 'strconv.Atoi: parsing "x": invalid syntax'],
  [withLines('prefetch 1 1m ٣'), 3, '٣', "last character of percentage should be `%`, but is: '£'"],
  [withLines('prefetch 1 1m 9%'), 3, '9%', 'percentage should fall in range [10, 90]: 9'],
  [withLines('prefetch 1 1m 91%'), 3, '91%', 'percentage should fall in range [10, 90]: 91'],
  [withLines('serve_stale 1h verify 1s 1s 1s 1s'), 3, '1s', `${ARGUMENTS} '1s'`],
  [withLines('serve_stale 1h immediate 1s 1s 2s'), 3, '2s', `${ARGUMENTS} '2s'`],
  [withLines('serve_stale x'), 3, 'x', 'time: invalid duration "x"'],
  [withLines('serve_stale -1s'), 3, '-1s', "invalid negative duration for serve_stale: '-1s'"],
  [withLines('serve_stale 1h Later'), 3, 'Later', 'invalid value for serve_stale refresh mode: later'],
  [
    withLines('serve_stale 1h verify 1'),
    3,
    '1',
    'invalid serve_stale verify timeout: time: missing unit in duration "1"',
  ],
  [withLines('serve_stale 1h verify -1s'), 3, '-1s', "invalid negative timeout for serve_stale verify: '-1s'"],
  [withLines('serve_stale 1h immediate x'), 3, 'x', 'invalid serve_stale response TTL: time: invalid duration "x"'],
  [withLines('serve_stale 1h verify 1s -2s'), 3, '-2s', "invalid negative response TTL for serve_stale: '-2s'"],
  [
    withLines('serve_stale 1h immediate 1500ms'),
    3,
    '1500ms',
    "serve_stale response TTL must be a whole number of seconds: '1500ms'",
  ],
  [
    withLines('serve_stale 1h immediate 4294967296s'),
    3,
    '4294967296s',
    "serve_stale response TTL exceeds the DNS TTL range: '4294967296s'",
  ],
  [
    withLines('serve_stale 1h immediate 1s x'),
    3,
    'x',
    'invalid serve_stale failure recheck: time: invalid duration "x"',
  ],
  [withLines('serve_stale 1h immediate 1s -1s'), 3, '-1s', "invalid negative failure recheck for serve_stale: '-1s'"],
  [
    withLines('serve_stale 1h verify 1s 1s 5m1ns'),
    3,
    '5m1ns',
    "serve_stale failure recheck cannot exceed 5 minutes: '5m1ns'",
  ],
  [withLines('serve_stale_policy prefer_positive'), 3, 'serve_stale_policy', 'serve_stale_policy requires serve_stale'],
  [withLines('serve_stale', 'serve_stale_policy'), 4, 'serve_stale_policy', `${ARGUMENTS} 'serve_stale_policy'`],
  [withLines('serve_stale', 'serve_stale_policy Other'), 4, 'Other', 'invalid serve_stale_policy: Other'],
  [
    withLines('serve_stale', 'serve_stale_policy prefer_positive', 'serve_stale_policy prefer_positive'),
    5,
    'serve_stale_policy',
    'serve_stale_policy can only be specified once',
  ],
  [withLines('keepttl on'), 3, 'on', `${ARGUMENTS} 'on'`],
];

for (const [body, line, word, text] of WRONG) {
  test(`cache refuses: ${body.replaceAll(/\s+/g, ' ')}`, () => {
    const message = `plugin/cache: Corefile:${line} - Error during parsing: ${text}`;
    assert.throws(() => parse(body), { name: 'CorefileError', file: 'Corefile', line, word, message });
  });
}
