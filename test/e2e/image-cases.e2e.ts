// The cases against the image: each group's server runs in a container, as user 65532, on a read-only root, with the one
// capability that the manifest gives. In a network namespace of its own (test/e2e/run.sh sees to it).

import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { objectFiles } from '../cases/groups.ts';
import { readObjects } from '../cases/objects.ts';
import { registerCases } from '../cases/suite.ts';
import { environment, IMAGE, loadImage, start } from './image/container.ts';
import { scratchDirectory } from './support/child.ts';
import { ControlPlane, DNS_TOKEN, kubeconfig } from './support/control-plane.ts';
import { type Launch, startServer } from './support/server.ts';
import { repository } from './support/tools.ts';

loadImage();
// The image's user has to get there.
chmodSync(scratchDirectory(), 0o755);
const planes = new Map<string, ControlPlane>();
for (const objects of objectFiles()) {
  const plane = await ControlPlane.start();
  await plane.createObjects(readObjects(objects));
  planes.set(objects, plane);
}
after(async () => {
  for (const plane of planes.values()) await plane.stop();
});

let count = 0;

function launch(corefilePath: string): Launch {
  const name = `wasmdns-case-${process.pid}-${count++}`;
  const folders = [scratchDirectory(), join(repository, 'test/cases/files')];
  const args = [
    ...[
      'run',
      '--rm',
      '--name',
      name,
      '--network',
      'host',
      '--memory',
      '170m',
      '--read-only',
      '--read-only-tmpfs=false',
    ],
    ...['--cap-drop', 'ALL', '--cap-add', 'NET_BIND_SERVICE', '--security-opt', 'no-new-privileges'],
    ...folders.flatMap((folder) => ['--volume', `${folder}:${folder}:ro`]),
    ...[IMAGE, '-conf', corefilePath, '-shards', '1'],
  ];
  return { command: 'podman', args, end: () => start('podman', 'rm', '--force', '--time', '0', name).exited };
}

const counts = registerCases('image', (template, group, options) => {
  const plane = planes.get(group.objects ?? '');
  const path = join(scratchDirectory(), `kubeconfig.${plane?.port ?? 0}`);
  if (plane !== undefined) writeFileSync(path, kubeconfig(`https://127.0.0.1:${plane.port}`, DNS_TOKEN));
  return startServer('wasmdns', template, { ...options, kubeconfig: path, launch, env: environment() });
});
process.stdout.write(
  `cases against the image: ${counts.cases} cases in ${counts.files} files, ${counts.questions} questions, ${counts.runs} runs\n`,
);
