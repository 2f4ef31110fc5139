// What the node's network is given so that queries for the cluster's DNS come to this process: an interface that has the
// addresses, and rules of the firewall. By default both are tied to the process (a TUN device, a table with an owner): when it
// ends, even by SIGKILL, the kernel removes them and the queries go to the cluster's DNS again.

import type { Log } from '../log.ts';
import { SocketError } from '../net/errno.ts';
import { closeTun, openTun } from '../net/netlink.ts';
import { IptablesError, IptablesRules } from './iptables.ts';
import { IDLE_KINDS, Links } from './links.ts';
import { NftablesRules } from './nftables.ts';
import { type Guarded, type Rule, rulesFor } from './rules.ts';

export interface NetworkSettings extends Guarded {
  readonly interfaceName: string;
  /** auto: a TUN device if this process may make one, else a dummy. */
  readonly kind: 'auto' | 'tun' | 'dummy' | 'none';
  readonly rules: 'nftables' | 'iptables' | 'none';
  /** Interface and rules stay when the process ends: nothing is tied to it. */
  readonly isKept: boolean;
}

/** Label values of coredns_nodecache_setup_errors_total. */
export type SetupError = 'iptables' | 'iptables_lock' | 'interface_add' | 'interface_check' | 'configmap';

export class Network {
  readonly #settings: NetworkSettings;
  readonly #log: Log;
  readonly #onError: (kind: SetupError) => void;
  readonly #rules: readonly Rule[];
  #links: Links | undefined;
  #nftables: NftablesRules | undefined;
  readonly #iptables: IptablesRules | undefined;
  /** -1: there is none. */
  #tun = -1;
  #isTaking = false;
  #isLeaving = false;

  constructor(settings: NetworkSettings, log: Log, onError: (kind: SetupError) => void) {
    this.#settings = settings;
    this.#log = log;
    this.#onError = onError;
    this.#rules = rulesFor(settings);
    if (settings.rules === 'iptables') this.#iptables = new IptablesRules(this.#isIpv6);
  }

  /** Why these settings cannot work on this machine; undefined: they can. */
  fault(): string | undefined {
    return this.#iptables?.fault();
  }

  /** Interface and addresses. Rules come later: until then kube-proxy's take the queries to the cluster's DNS. */
  raise(): void {
    if (this.#settings.kind === 'none') return;
    try {
      this.#ensureInterface();
    } catch (error) {
      const { interfaceName } = this.#settings;
      this.#log.error(`Failed to add non-existent interface ${interfaceName}: ${textOf(error)}`);
      this.#onError('interface_add');
    }
  }

  /** The server answers: takes the queries over. */
  take(): void {
    if (this.#isLeaving) return;
    this.#isTaking = true;
    this.#tryRules(() => {
      if (this.#iptables !== undefined) this.#ensureIptables(this.#iptables);
      else if (this.#settings.rules === 'nftables') this.#setNftables();
    });
  }

  /** Puts back what somebody has taken away. */
  check(): void {
    if (this.#isLeaving) return;
    if (this.#isTaking) {
      this.#tryRules(() => {
        if (this.#iptables !== undefined) this.#ensureIptables(this.#iptables);
        else if (this.#settings.rules === 'nftables' && this.#nftables?.isWhole() !== true) this.#setNftables();
      });
    }
    if (this.#settings.kind === 'none') return;
    try {
      this.#ensureInterface();
    } catch (error) {
      this.#log.error(`Error checking interface ${this.#settings.interfaceName}: ${textOf(error)}`);
      this.#onError('interface_check');
    }
  }

  /**
   * The end begins: new queries go to the cluster's DNS, and those that are here already get their replies. What comes after
   * the end of the sockets would be lost.
   */
  leave(): void {
    if (this.#isLeaving || this.#settings.isKept) return;
    this.#isLeaving = true;
    if (!this.#isTaking) return;
    const rest = this.#rules.filter(({ isTaking }) => !isTaking);
    this.#tryRules(() => {
      this.#nftables?.set(rest);
      if (this.#iptables === undefined) return;
      for (const rule of this.#rules) if (rule.isTaking) this.#iptables.remove(rule);
    });
  }

  /** Removes everything. */
  remove(): void {
    if (this.#settings.isKept) return;
    this.leave();
    this.#log.info('Tearing down');
    this.#tryRules(() => {
      this.#nftables?.remove();
      if (this.#iptables !== undefined) for (const rule of this.#rules) this.#iptables.remove(rule);
    });
    try {
      this.#removeInterface();
    } catch (error) {
      this.#log.error(`Failed to remove interface ${this.#settings.interfaceName}: ${textOf(error)}`);
    }
  }

  get #isIpv6(): boolean {
    return this.#settings.addresses[0]?.includes(':') === true;
  }

  #ensureInterface(): void {
    const { interfaceName, addresses } = this.#settings;
    this.#links ??= new Links();
    const links = this.#links;
    let link = links.find(interfaceName);
    // Somebody has removed it: the descriptor leads nowhere
    if (link === undefined) this.#closeTun();
    if (link === undefined || this.#isReplaceable(link.kind)) {
      if (link !== undefined) links.remove(link.index);
      const kind = this.#make(links);
      link = links.find(interfaceName)!;
      links.raise(link.index);
      this.#log.info(`Added interface - ${interfaceName} (${kind})`);
    }
    for (const address of addresses) {
      if (links.addAddress(link.index, address)) this.#log.info(`Added address - ${address}, ${interfaceName}`);
    }
  }

  /** A dummy that node-cache, or this program with other flags, has left. */
  #isReplaceable(kind: string): boolean {
    const { kind: wanted, isKept } = this.#settings;
    return (
      IDLE_KINDS.includes(kind) && this.#tun < 0 && !isKept && (wanted === 'tun' || (wanted === 'auto' && mayMakeTun()))
    );
  }

  #make(links: Links): string {
    const { interfaceName, kind, isKept } = this.#settings;
    if (kind !== 'dummy' && !isKept) {
      try {
        this.#tun = openTun(interfaceName);
        return 'tun';
      } catch (error) {
        if (kind === 'tun') throw error;
        this.#log.warning(`No TUN device (${textOf(error)}): the interface will outlive a killed process`);
      }
    }
    return links.addIdle(interfaceName);
  }

  #removeInterface(): void {
    if (this.#tun >= 0) this.#closeTun();
    else if (this.#settings.kind !== 'none') {
      const link = this.#links?.find(this.#settings.interfaceName);
      if (link !== undefined) this.#links!.remove(link.index);
    }
  }

  #closeTun(): void {
    if (this.#tun >= 0) closeTun(this.#tun);
    this.#tun = -1;
  }

  #setNftables(): void {
    const isWanted = !this.#settings.isKept;
    this.#nftables ??= new NftablesRules(this.#isIpv6, isWanted);
    this.#nftables.set(this.#rules);
    this.#log.info(`Added back nodelocaldns rules - nftables`);
    if (isWanted && !this.#nftables.isOwned) {
      this.#log.warning('This kernel knows no tables with an owner: the rules will outlive a killed process');
    }
  }

  #ensureIptables(iptables: IptablesRules): void {
    for (const rule of this.#rules) {
      if (!iptables.ensure(rule)) continue;
      const { hook, action, transport, end, address, port } = rule;
      this.#log.info(`Added back nodelocaldns rule - ${hook} ${transport} ${end} ${address} ${port} ${action}`);
    }
  }

  #tryRules(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log.error(`Error checking/adding ${this.#settings.rules} rules, error - ${textOf(error)}`);
      this.#onError(error instanceof IptablesError && error.isLocked ? 'iptables_lock' : 'iptables');
    }
  }
}

function mayMakeTun(): boolean {
  try {
    closeTun(openTun('wasmdns-probe'));
    return true;
  } catch {
    return false;
  }
}

function textOf(error: unknown): string {
  if (error instanceof SocketError || error instanceof IptablesError) return error.message;
  return error instanceof Error ? error.message : String(error);
}
