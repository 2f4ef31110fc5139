// argv -> a command. The only file that touches process.argv and the exit of the process.

import packageFile from '../package.json' with { type: 'json' };
import { type Arguments, parseArguments, USAGE, UsageError } from './commands/arguments.ts';
import { UserError } from './errors.ts';
import { exitAtOnce } from './net/sockets.ts';
import { limitFootprint } from './server/footprint.ts';

const NODE_MAJOR_MIN = 24;
const EXIT_USAGE = 2;

await main();

async function main(): Promise<void> {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < NODE_MAJOR_MIN) {
    fail(
      `wasmdns needs Node ${NODE_MAJOR_MIN} or newer, this is ${process.versions.node}; the repository brings one: node_modules/.bin/node`,
    );
    return;
  }
  limitFootprint();
  process.on('uncaughtException', (error) => fail(`internal error: ${error.message}`));
  try {
    await run(parseArguments(process.argv.slice(2)));
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message === '' ? '' : `${error.message}\n`}${USAGE}`);
      process.exit(error.message === '' ? 0 : EXIT_USAGE);
    }
    fail(error instanceof UserError ? error.message : `internal error: ${(error as Error).stack ?? error}`);
  }
}

async function run(options: Arguments): Promise<void> {
  const { version } = packageFile;
  if (options.isVersion) {
    process.stdout.write(`wasmdns-${version}\n${process.platform}/${process.arch}, node${process.versions.node}\n`);
    return;
  }
  if (options.isPlugins) {
    const { directives } = await import('./plugins/order.ts');
    process.stdout.write(
      `${directives
        .map(({ name }) => name)
        .sort()
        .join('\n')}\n`,
    );
    return;
  }
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

function fail(line: string): void {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}
