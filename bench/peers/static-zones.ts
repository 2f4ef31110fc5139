import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { staticZones } from '../inventory.ts';

/** Writes forward.zone (cluster.local) and reverse.zone (10.in-addr.arpa) into the directory. */
export function writeStaticZones(directory: string, services: number): void {
  const zones = staticZones(services);
  writeFileSync(join(directory, 'forward.zone'), zones.forward);
  writeFileSync(join(directory, 'reverse.zone'), zones.reverse);
}
