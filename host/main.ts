// argv -> a command. The only file that touches process.argv and the exit of the process.

import packageFile from '../package.json' with { type: 'json' };
import { type Arguments, parseArguments } from './commands/arguments.ts';
import { UsageError } from './commands/flags.ts';
import { isNodeCache } from './commands/node-cache/mode.ts';
import { UserError } from './errors.ts';
import { exitAtOnce } from './net/sockets.ts';
import { limitFootprint } from './server/footprint.ts';

const NODE_MAJOR_MIN = 24;
const EXIT_USAGE = 2;

await main();

async function main(): Promise<void> {
  const { node } = process.versions;
  if (Number(node.split('.')[0]) < NODE_MAJOR_MIN) {
    fail(
      `wasmdns needs Node ${NODE_MAJOR_MIN} or newer, this is ${node}; the repository brings one: node_modules/.bin/node`,
    );
  }
  process.on('uncaughtException', failFor);
  // Until the server obeys them: Node would open its debugger for the first and end for the others.
  for (const signal of ['SIGUSR1', 'SIGUSR2', 'SIGHUP']) process.on(signal, () => {});
  try {
    const argv = process.argv.slice(2);
    if (argv[0] === 'simulate') await runSimulate(argv.slice(1));
    else if (isNodeCache(argv)) await runNodeCache(argv);
    else {
      const options = parseArguments(argv);
      limitFootprint();
      await run(options);
    }
  } catch (error) {
    failFor(error);
  }
}

async function runSimulate(argv: readonly string[]): Promise<void> {
  const { simulate } = await import('./commands/simulate.ts');
  const program = process.argv[1]!;
  await simulate({ argv, program, version: packageFile.version, exit: exitAtOnce, limitFootprint });
}

async function runNodeCache(argv: readonly string[]): Promise<void> {
  const { version } = packageFile;
  const { parseNodeCacheArguments } = await import('./commands/node-cache/arguments.ts');
  const settings = parseNodeCacheArguments(argv);
  limitFootprint();
  if (await tell(settings)) return;
  const { serveNodeCache } = await import('./commands/node-cache.ts');
  await serveNodeCache({ settings, version, exit: exitAtOnce });
}

/** What is only to be printed; false: nothing is. */
async function tell(options: Pick<Arguments, 'isVersion' | 'isPlugins'>): Promise<boolean> {
  if (options.isVersion) {
    const { banner } = await import('./commands/serve.ts');
    process.stdout.write(`${banner(packageFile.version).join('\n')}\n`);
  } else if (options.isPlugins) {
    const { directives } = await import('./plugins/order.ts');
    const names = directives.map(({ name }) => name).sort();
    process.stdout.write(`${names.join('\n')}\n`);
  }
  return options.isVersion || options.isPlugins;
}

async function run(options: Arguments): Promise<void> {
  if (await tell(options)) return;
  const { version } = packageFile;
  const common = {
    shardCount: options.shards,
    pidFile: options.pidFile,
    isQuiet: options.isQuiet,
    version,
    exit: exitAtOnce,
  };
  if (options.demo !== undefined && options.conf === undefined) {
    const { serveDemo } = await import('./commands/demo-server.ts');
    await serveDemo({ ...common, file: options.demo });
    return;
  }
  const { corefileSource } = await import('./corefile/source.ts');
  const { serve } = await import('./commands/serve.ts');
  const source = corefileSource(options.conf, options.port);
  await serve({ ...common, source, defaultPort: options.port, address: '' });
}

/** What the user can mend is one line; the rest is our fault, and its stack says where. */
function failFor(error: unknown): never {
  if (error instanceof UsageError) {
    const isHelp = error.message === '';
    process.stderr.write(`${isHelp ? '' : `${error.message}\n`}${error.usage}`);
    exitAtOnce(isHelp ? 0 : EXIT_USAGE);
  }
  if (error instanceof UserError) fail(error.message);
  fail(`internal error: ${error instanceof Error ? error.stack : String(error)}`);
}

function fail(text: string): never {
  process.stderr.write(`${text}\n`);
  exitAtOnce(1);
}
