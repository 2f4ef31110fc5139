// The cases against this project's server, through both faces of every plugin: as it is, and with every query forced
// onto the slow path. The objects come from the embedded API of the demo, the rest from a scripted upstream.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { type DemoCluster, startDemoCluster } from '../host/commands/demo/cluster.ts';
import { createLog } from '../host/log.ts';
import { objectFiles } from './cases/groups.ts';
import { objectsText } from './cases/objects.ts';
import { registerCases, type StartServer } from './cases/suite.ts';
import { scratchDirectory } from './e2e/support/child.ts';
import { kubeconfig } from './e2e/support/control-plane.ts';
import { seatUnderTest, startServer } from './e2e/support/server.ts';

const log = createLog(() => {});
const clusters = new Map<string, { cluster: DemoCluster; kubeconfig: string }>();
for (const objects of objectFiles()) {
  const file = join(scratchDirectory(), objects);
  writeFileSync(file, objectsText(objects));
  const cluster = await startDemoCluster({ file, log });
  const path = join(scratchDirectory(), `${objects}.kubeconfig`);
  writeFileSync(path, kubeconfig(cluster.url, 'any'));
  clusters.set(objects, { cluster, kubeconfig: path });
}
after(async () => {
  for (const { cluster } of clusters.values()) await cluster.close();
});

const startWith =
  (env: Readonly<Record<string, string>>): StartServer =>
  (template, group, options) => {
    const path = clusters.get(group.objects ?? '')?.kubeconfig;
    return startServer(seatUnderTest, template, {
      ...options,
      ...(path === undefined ? {} : { kubeconfig: path }),
      env,
    });
  };

const counts = registerCases('fast face', startWith({}));
registerCases('slow face', startWith({ WASMDNS_FORCE_SLOW: '1' }));
process.stdout.write(
  `cases: ${counts.cases} cases in ${counts.files} files, ${counts.questions} questions, ${counts.runs} runs through each face\n`,
);
