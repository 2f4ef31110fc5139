// The directives in the order of the chain: the first sees a query first and its reply last, whatever the order of lines
// in the Corefile. CoreDNS's plugin.cfg has the same order.

import type { Control, Directive } from '../plugin/contract.ts';
import { acl } from './acl/acl.ts';
import { bind } from './bind/bind.ts';
import { bufsize } from './bufsize/bufsize.ts';
import { cache } from './cache/cache.ts';
import { debug } from './debug/debug.ts';
import { errors } from './errors/errors.ts';
import { forward } from './forward/forward.ts';
import { health } from './health/health.ts';
import { hosts } from './hosts/hosts.ts';
import { kubernetes } from './kubernetes/kubernetes.ts';
import { loadbalance } from './loadbalance/loadbalance.ts';
import { log } from './log/log.ts';
import { loop } from './loop/loop.ts';
import { metadata } from './metadata/metadata.ts';
import { multisocket } from './multisocket/multisocket.ts';
import { prometheus } from './prometheus/prometheus.ts';
import { ready } from './ready/ready.ts';
import { reload } from './reload/reload.ts';
import { rewrite } from './rewrite/rewrite.ts';
import { root } from './root/root.ts';
import { template } from './template/template.ts';
import { whoami } from './whoami/whoami.ts';

/** What the server knows of a directive: its configuration and control half are its own business. */
export type AnyDirective = Directive<unknown, Control>;

export const directives: readonly AnyDirective[] = [
  root,
  metadata,
  multisocket,
  reload,
  bufsize,
  bind,
  debug,
  ready,
  health,
  prometheus,
  errors,
  log,
  loadbalance,
  rewrite,
  acl,
  cache,
  template,
  hosts,
  kubernetes,
  loop,
  forward,
  whoami,
] as readonly unknown[] as readonly AnyDirective[];
