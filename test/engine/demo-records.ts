// A small cluster in records, written by hand: what the engine's tests ask for.

import { composeName } from '../../host/dns/name.ts';
import { OWNER_NO_NODATA, type RecordStore } from '../../host/plugin/contract.ts';
import type { EngineWorld } from './world.ts';

/** `web.demo.svc` to a relative key: wire form without the root label. */
export function keyOf(text: string): Uint8Array {
  return text === '' ? new Uint8Array(0) : composeName(text).slice(0, -1);
}

export function ipv4(text: string): Uint8Array {
  return Uint8Array.from(text.split('.').map(Number));
}

export function reverseKey(address: Uint8Array): Uint8Array {
  return Uint8Array.from([0xff, ...address]);
}

/** Services web (ClusterIP), db (headless, three endpoints), ext-in and ext (ExternalName) in namespace demo. */
export function fillDemo(world: EngineWorld): RecordStore {
  const store = world.createRecords();
  for (const empty of ['', 'svc', 'pod', 'demo.svc', 'demo.pod', 'bare.svc']) store.put(keyOf(empty), []);
  const http = { priority: 0, weight: 100, port: 80 };
  const web = store.put(keyOf('web.demo.svc'), [
    { type: 'A', addresses: [ipv4('10.96.0.80')] },
    {
      type: 'SRV',
      records: [
        { ...http, weight: 50, target: 0 },
        { ...http, weight: 50, port: 443, target: 0 },
      ],
    },
  ]);
  store.put(keyOf('http.tcp.web.demo.svc'), [
    { type: 'A', addresses: [ipv4('10.96.0.80')] },
    { type: 'SRV', records: [{ ...http, target: web }] },
  ]);
  const addresses = ['10.1.0.20', '10.1.0.21', '10.1.0.22'].map(ipv4);
  const endpoints = addresses.map((address, i) =>
    store.put(keyOf(`db-${i}.db.demo.svc`), [
      { type: 'A', addresses: [address] },
      { type: 'SRV', records: [{ priority: 0, weight: 100, port: 5432, target: 0 }] },
    ]),
  );
  store.put(keyOf('db.demo.svc'), [
    { type: 'A', addresses },
    { type: 'SRV', records: endpoints.map((target) => ({ priority: 0, weight: 33, port: 5432, target })) },
  ]);
  store.put(keyOf('ext-in.demo.svc'), [cname('web.demo.svc.cluster.local.')]);
  store.put(keyOf('ext.demo.svc'), [cname('www.example.org.')]);
  store.put(keyOf('loop-a.demo.svc'), [cname('loop-b.demo.svc.cluster.local.')]);
  store.put(keyOf('loop-b.demo.svc'), [cname('loop-a.demo.svc.cluster.local.')]);
  const version = Uint8Array.from([5, ...Buffer.from('1.1.0')]);
  store.put(keyOf('dns-version'), [{ type: 'TXT', rdata: [version], ttl: 28800 }], OWNER_NO_NODATA);
  const target = { wire: composeName('web.demo.svc.cluster.local.'), relative: false };
  store.put(reverseKey(ipv4('10.96.0.80')), [{ type: 'PTR', names: [target] }]);
  store.setSynced(true);
  store.setSerial(1795449494);
  return store;
}

function cname(target: string): { type: 'CNAME'; names: { wire: Uint8Array; relative: boolean }[] } {
  return { type: 'CNAME', names: [{ wire: composeName(target), relative: false }] };
}
