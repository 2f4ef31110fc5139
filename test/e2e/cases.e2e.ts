// The cases against the real CoreDNS and a real API server: what they expect is what CoreDNS does.

import { after } from 'node:test';
import { objectFiles } from '../cases/groups.ts';
import { readObjects } from '../cases/objects.ts';
import { registerCases } from '../cases/suite.ts';
import { ControlPlane } from './support/control-plane.ts';
import { startServer } from './support/server.ts';

const planes = new Map<string, ControlPlane>();
for (const objects of objectFiles()) {
  const plane = await ControlPlane.start();
  await plane.createObjects(readObjects(objects));
  planes.set(objects, plane);
}
after(async () => {
  for (const plane of planes.values()) await plane.stop();
});

const counts = registerCases('coredns', (template, group, options) => {
  const kubeconfig = planes.get(group.objects ?? '')?.writeKubeconfig();
  return startServer('coredns', template, kubeconfig === undefined ? options : { ...options, kubeconfig });
});
process.stdout.write(
  `cases against CoreDNS: ${counts.cases} cases in ${counts.files} files, ${counts.questions} questions, ${counts.runs} runs\n`,
);
