// Asks the cluster's DNS service once and prints what it says, as JSON: run in the cluster's network namespace.
//
//   node test/cluster/support/resolve.ts ADDRESS NAME A|AAAA|SRV|PTR|TXT
//
// {"rcode": "NOERROR", "records": [...]} with the records sorted as text; "NODATA" is an answer without records.

import { Resolver } from 'node:dns/promises';

const [address, name, type] = process.argv.slice(2);
const resolver = new Resolver({ timeout: 2000, tries: 2 });
resolver.setServers([address!]);
const RCODES: Readonly<Record<string, string>> = { ENOTFOUND: 'NXDOMAIN', ENODATA: 'NODATA', ESERVFAIL: 'SERVFAIL' };

async function resolve(): Promise<unknown> {
  try {
    const records = await resolver.resolve(name!, type!);
    const texts = (records as unknown[]).map((record) =>
      typeof record === 'string' ? record : JSON.stringify(record),
    );
    return { rcode: 'NOERROR', records: texts.sort((a, b) => (a < b ? -1 : 1)) };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    return { rcode: RCODES[code] ?? code, records: [] };
  }
}

process.stdout.write(`${JSON.stringify(await resolve())}\n`);
