// Everything that goes wrong between a watch and the API server, one function each. It is over when the function ends.

import { sleep } from '../support/child.ts';
import type { ControlPlane } from '../support/control-plane.ts';
import type { Random } from '../support/random.ts';
import { errorFrame, type Frame } from './frames.ts';
import type { Identity, Refusal, WatchProxy, WatchStream } from './watch-proxy.ts';
import type { World } from './world.ts';

export interface Stage {
  readonly proxy: WatchProxy;
  readonly plane: ControlPlane;
  readonly world: World;
  readonly random: Random;
  /** Writes the server's token file. */
  writeToken(token: string): void;
  /** Another authority, and an identity that it signed; the function writes the server's file of authorities. */
  renewAuthority(): { readonly identity: Identity; readonly trust: () => void };
}

export interface Fault {
  readonly name: string;
  run(stage: Stage): Promise<void>;
}

const RESOURCES = ['services', 'endpointslices', 'namespaces', 'pods'];

export const FAULTS: readonly Fault[] = [
  { name: 'connection refused', run: refuseConnections },
  { name: 'reset in the middle of an object', run: cutObjects },
  { name: 'stalled without FIN, then goes on', run: stall },
  { name: 'stalled without FIN for ever, new connections pass', run: strand },
  { name: 'one octet at a time', run: slow },
  { name: '410 in the stream', run: expireInStream },
  { name: '410 as a status', run: expireAsStatus },
  { name: '401, then another token', run: rotateToken },
  { name: '403 on one resource', run: forbidOne },
  { name: '429 with Retry-After', run: (stage) => refuseAll(stage, { code: 429, message: 'busy', retryAfter: 1 }) },
  { name: '500', run: (stage) => refuseAll(stage, { code: 500, message: 'etcdserver: request timed out' }) },
  { name: 'garbage', run: garble },
  { name: 'events lost', run: loseEvents },
  { name: 'events twice', run: repeatEvents },
  { name: 'events out of order between resources', run: delayOne },
  { name: 'etcd restored from a backup', run: restore },
  { name: 'API server restarted', run: restart },
  { name: 'another certificate', run: changeCertificate },
];

async function refuseConnections({ proxy, random }: Stage): Promise<void> {
  await proxy.close();
  await sleep(500 + random.below(4000));
  await proxy.open();
}

async function cutObjects({ proxy, random }: Stage): Promise<void> {
  proxy.rules.onFrame = ({ octets }, stream) => {
    if (random.chance(0.7)) return [octets];
    stream.send(octets.subarray(0, 1 + random.below(octets.length - 1)));
    stream.reset();
    return [];
  };
  await sleep(1500 + random.below(2000));
  proxy.calm();
}

async function stall({ proxy, random }: Stage): Promise<void> {
  proxy.rules.isHeld = () => true;
  await sleep(1000 + random.below(3000));
  proxy.calm();
}

async function strand({ proxy, random }: Stage): Promise<void> {
  proxy.strand();
  await sleep(500 + random.below(1000));
}

async function slow({ proxy, random }: Stage): Promise<void> {
  proxy.rules.isSlow = () => true;
  await sleep(1000 + random.below(3000));
  proxy.calm();
}

async function expireInStream({ proxy }: Stage): Promise<void> {
  proxy.eachWatch((stream) => {
    stream.send(errorFrame(stream.isProtobuf, 410, 'Expired', 'too old resource version: 1 (2)'));
    stream.end();
  });
  await sleep(300);
}

async function expireAsStatus({ proxy, random }: Stage): Promise<void> {
  proxy.rules.refuse = ({ isWatch, version }) =>
    isWatch && version !== undefined ? { code: 410, message: 'too old resource version: 1 (2)' } : undefined;
  proxy.endWatches();
  await sleep(500 + random.below(2000));
  proxy.calm();
}

async function rotateToken({ proxy, writeToken, random }: Stage): Promise<void> {
  proxy.token = `token-${random.below(1e9)}`;
  proxy.endWatches();
  await sleep(500 + random.below(3000));
  writeToken(proxy.token);
}

async function forbidOne({ proxy, random }: Stage): Promise<void> {
  const which = random.pick(RESOURCES);
  proxy.rules.refuse = ({ resource }) =>
    resource === which ? { code: 403, message: `${which} is forbidden: User "dns" cannot list resource` } : undefined;
  proxy.endWatches(which);
  await sleep(1000 + random.below(4000));
  proxy.calm();
}

async function refuseAll({ proxy, random }: Stage, refusal: Refusal): Promise<void> {
  proxy.rules.refuse = () => refusal;
  if (random.chance(0.5)) proxy.endWatches();
  else proxy.resetAll();
  await sleep(1000 + random.below(4000));
  proxy.calm();
}

/** Half an object, no object, or octets that are none. */
async function garble({ proxy, random }: Stage): Promise<void> {
  proxy.rules.onFrame = ({ octets }, { isProtobuf }) => {
    if (random.chance(0.7)) return [octets];
    if (isProtobuf) {
      const copy = Buffer.from(octets);
      for (let at = 4; at < copy.length; at += 1 + random.below(20)) copy[at] = 0x07;
      return [copy];
    }
    return [
      random.pick([octets.subarray(10), Buffer.from('{"type":"MODIFIED","object":{"metadata"\n'), Buffer.from('x\n')]),
    ];
  };
  await sleep(1000 + random.below(2000));
  proxy.calm();
}

async function loseEvents({ proxy, random }: Stage): Promise<void> {
  // A list that lacks half of what is there is no watch that has missed something
  proxy.rules.onFrame = (frame, { isListing }) =>
    isChange(frame) && !isListing && random.chance(0.5) ? [] : [frame.octets];
  await sleep(500 + random.below(1000));
  proxy.calm();
}

/** At once, or some events later. */
async function repeatEvents({ proxy, random }: Stage): Promise<void> {
  const kept = new WeakMap<WatchStream, Buffer>();
  proxy.rules.onFrame = (frame, stream) => {
    if (!isChange(frame) || random.chance(0.5)) return [frame.octets];
    if (random.chance(0.5)) return [frame.octets, frame.octets];
    const older = kept.get(stream);
    kept.set(stream, Buffer.from(frame.octets));
    return older === undefined ? [frame.octets] : [frame.octets, older];
  };
  await sleep(1000 + random.below(2000));
  proxy.calm();
}

async function delayOne({ proxy, random }: Stage): Promise<void> {
  const which = random.pick(RESOURCES);
  proxy.rules.isHeld = ({ resource }) => resource === which;
  await sleep(1000 + random.below(2000));
  proxy.calm();
}

async function restore({ plane, world }: Stage): Promise<void> {
  const copy = await plane.backup();
  await sleep(1500);
  await plane.restore(copy);
  await world.reread();
}

async function restart({ plane }: Stage): Promise<void> {
  await plane.stopApiServer();
  await sleep(500);
  await plane.startApiServer();
}

async function changeCertificate({ proxy, renewAuthority, random }: Stage): Promise<void> {
  const { identity, trust } = renewAuthority();
  proxy.changeIdentity(identity);
  proxy.resetAll();
  await sleep(random.below(3000));
  trust();
}

function isChange({ type }: Frame): boolean {
  return type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED';
}
