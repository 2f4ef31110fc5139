import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Arguments, parseArguments, USAGE } from '../../host/commands/arguments.ts';
import { UsageError } from '../../host/commands/flags.ts';
import { UserError } from '../../host/errors.ts';

const DEFAULTS: Arguments = {
  conf: undefined,
  demo: undefined,
  port: 53,
  pidFile: undefined,
  isPlugins: false,
  isQuiet: false,
  isVersion: false,
  shards: undefined,
};

const ACCEPTED: readonly (readonly [argv: string, expected: Partial<Arguments>])[] = [
  ['', {}],
  ['-conf a', { conf: 'a' }],
  ['--conf a', { conf: 'a' }],
  ['-conf=a=b', { conf: 'a=b' }],
  ['-conf=', { conf: '' }],
  ['-conf -quiet', { conf: '-quiet' }],
  ['-conf a -conf b', { conf: 'b' }],
  ['-dns.port 1053', { port: 1053 }],
  ['-p 1053', { port: 1053 }],
  ['-p 1 -dns.port 2', { port: 2 }],
  ['-dns.port 2 -p 1', { port: 1 }],
  ['-p 0', { port: 0 }],
  ['-p 65535', { port: 65535 }],
  ['-pidfile x.pid', { pidFile: 'x.pid' }],
  ['-quiet', { isQuiet: true }],
  ['-quiet=false', { isQuiet: false }],
  ['-quiet=T', { isQuiet: true }],
  ['-quiet -quiet=0', { isQuiet: false }],
  ['-version -plugins', { isVersion: true, isPlugins: true }],
  ['-shards 3', { shards: 3 }],
  ['-demo x.yaml -conf y', { demo: 'x.yaml', conf: 'y' }],
  ['-quiet --', { isQuiet: true }],
];

for (const [argv, expected] of ACCEPTED) {
  test(`arguments: ${argv || 'none'}`, () => {
    assert.deepEqual(parseArguments(words(argv)), { ...DEFAULTS, ...expected });
  });
}

/** Exit code 2: what Go's flag package says. */
const USAGE_ERRORS: readonly (readonly [argv: string, message: string])[] = [
  ['-nosuch', 'flag provided but not defined: -nosuch'],
  ['--nosuch=1', 'flag provided but not defined: -nosuch'],
  ['-conf', 'flag needs an argument: -conf'],
  ['-quiet -p', 'flag needs an argument: -p'],
  ['---quiet', 'bad flag syntax: ---quiet'],
  ['-=x', 'bad flag syntax: -=x'],
  ['-quiet=maybe', 'invalid boolean value "maybe" for -quiet: parse error'],
  ['-shards 0', 'invalid value "0" for flag -shards: must be a number between 1 and 64'],
  ['-shards 65', 'invalid value "65" for flag -shards: must be a number between 1 and 64'],
  ['-shards two', 'invalid value "two" for flag -shards: must be a number between 1 and 64'],
  ['-h', ''],
  ['--help', ''],
];

for (const [argv, message] of USAGE_ERRORS) {
  test(`usage: ${argv}`, () => {
    assert.throws(() => parseArguments(words(argv)), isError(UsageError, message));
  });
}

/** Exit code 1: one line without the usage. */
const USER_ERRORS: readonly (readonly [argv: string, message: string])[] = [
  ['extra', 'extra command line arguments: [extra]'],
  ['-quiet extra -version', 'extra command line arguments: [extra -version]'],
  ['-', 'extra command line arguments: [-]'],
  ['-- -quiet', 'extra command line arguments: [-quiet]'],
  ['-p x', 'lookup tcp/x: unknown port'],
  ['-dns.port=', 'lookup tcp/: unknown port'],
  ['-p 70000', 'address 70000: invalid port'],
  ['-p -1', 'address -1: invalid port'],
];

for (const [argv, message] of USER_ERRORS) {
  test(`refused: ${argv}`, () => {
    assert.throws(() => parseArguments(words(argv)), isError(UserError, message));
  });
}

test('the usage names every flag', () => {
  for (const flag of ['conf', 'demo', 'dns.port', 'p', 'pidfile', 'plugins', 'quiet', 'shards', 'version']) {
    assert.match(USAGE, new RegExp(`^  -${flag.replace('.', '\\.')}\\b`, 'm'));
  }
});

function words(argv: string): string[] {
  return argv.split(' ').filter((word) => word !== '');
}

function isError(kind: typeof UsageError | typeof UserError, message: string): (error: unknown) => boolean {
  return (error) => error instanceof kind && error.message === message;
}
