/** All peers, in the order of the tables. A new one is a file beside this one and a line here. */
import { coredns } from './coredns.ts';
import { dnsdist } from './dnsdist.ts';
import { echo } from './echo.ts';
import { knot } from './knot.ts';
import { nsd } from './nsd.ts';
import type { Peer } from './peer.ts';
import { unbound } from './unbound.ts';
import { wasmdns } from './wasmdns.ts';

export const PEERS: readonly Peer[] = [wasmdns, coredns, nsd, knot, unbound, dnsdist, echo];
