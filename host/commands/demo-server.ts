// npm start: the server over an embedded cluster, watched through the same client as a real one.

import { stdoutLog } from '../log.ts';
import { startDemoCluster } from './demo/cluster.ts';
import { ADDRESS, type EmbeddedOptions, type Ports, pagesHint, serveEmbedded } from './embedded-server.ts';

export type DemoOptions = Omit<EmbeddedOptions, 'name' | 'api' | 'hints'> & {
  /** YAML of the cluster's objects. */
  readonly file: string;
};

/** Serves on 127.0.0.1 and prints what to try. Throws UserError with one clear line. */
export async function serveDemo(options: DemoOptions): Promise<void> {
  const { file } = options;
  const cluster = await startDemoCluster({ file, log: stdoutLog() });
  await serveEmbedded({ ...options, name: 'demo', api: cluster.url, hints: (ports) => hints(file, ports) });
}

function hints(file: string, ports: Ports): readonly string[] {
  const dig = `  dig @${ADDRESS} -p ${ports.dns}`;
  return [
    '',
    `Serving the demo cluster of ${file} on ${ADDRESS}:${ports.dns} (UDP and TCP). Edit the file: answers follow within a second. Try`,
    `${dig} kubernetes.default.svc.cluster.local`,
    `${dig} _http._tcp.web.shop.svc.cluster.local SRV`,
    `${dig} +tcp db.data.svc.cluster.local`,
    `${dig} -x 10.96.0.1`,
    pagesHint(ports),
    'A real cluster: npm start -- -conf Corefile, with `endpoint URL` or `kubeconfig FILE` in its kubernetes block.',
  ];
}
