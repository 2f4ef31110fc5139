// What the main thread and a shard say to each other. Plain data only; every request carries an `id` that its answer
// repeats.
//
//   main ─► shard   Load, Switch, Discard, Drain, LetGo, Stop
//   shard ─► main   Loaded, Failed, Done, Released, Notice, Panicked

import type { MessagePort } from 'node:worker_threads';
import type { Plain, ServerBlock } from '../plugin/contract.ts';
import type { MemoryPlan } from './memory.ts';

/** The task a worker of the pool runs from its start to its end. */
export interface ShardTask {
  readonly shard: number;
  readonly plan: MemoryPlan;
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly port: MessagePort;
  /** Native descriptors of this shard, see net/ledger.ts. */
  readonly ledger: Int32Array;
  readonly settings: ShardSettings;
}

export interface ShardSettings {
  /** False: node:dgram even where batched system calls are to be had (tests). */
  readonly useNative: boolean;
  /** Tests: see shard/test-hooks.ts. */
  readonly hasTestHooks: boolean;
  readonly tcp: {
    /** From the connection to its first whole message. */
    readonly firstMessageMs: number;
    /** From one whole message, or its reply, to the next; also how long a client may leave replies unread. */
    readonly idleMs: number;
    /** Of one shard; the connection that has waited longest makes room for a new one. */
    readonly connectionsMax: number;
    /** Replies waiting in the process for one client that does not read. */
    readonly unreadBytesMax: number;
    /** Of one shard: unread replies and queries that are not served yet, of all clients together. */
    readonly keptBytesMax: number;
  };
}

/** CoreDNS core, A4: deadlines of 3 s and 10 s. It has no bound on connections and unread replies. */
export const SHARD_SETTINGS: ShardSettings = {
  useNative: true,
  hasTestHooks: false,
  tcp: { firstMessageMs: 3000, idleMs: 10_000, connectionsMax: 8192, unreadBytesMax: 64 << 10, keptBytesMax: 32 << 20 },
};

/** One configuration as the main thread gives it to the pool. */
export interface Configuration {
  /** Raised by one at each load. */
  readonly generation: number;
  /** Debug lines in the shards' log (CoreDNS plugin debug). */
  readonly isDebug: boolean;
  readonly listeners: readonly ListenerPlan[];
  readonly blocks: readonly BlockPlan[];
  readonly slots: ShardSlots;
}

/** One address, UDP and TCP. */
export interface ListenerPlan {
  /** An IP address (link-local IPv6 with its zone), or '' for all addresses. */
  readonly address: string;
  /** 0 = the kernel chooses, the same number for both protocols and all shards. */
  readonly port: number;
  /** Address of the LISTENER entry in the program. */
  readonly program: number;
  /** The metric label: `dns://:53`. */
  readonly server: string;
  /** A plugin that throws ends the process. */
  readonly isDebugging: boolean;
  /** The line of a plugin that threw is followed by its stack. */
  readonly showsStack: boolean;
}

export interface BlockPlan {
  readonly block: ServerBlock;
  /** One for each word of block.plugins, in that order; the engine's STEP_PLUGIN is an index into it. */
  readonly plugins: readonly PluginPlan[];
}

export interface PluginPlan {
  readonly name: string;
  readonly config: Plain;
  /** Control.shared */
  readonly shared: Plain;
}

/** Counters that the shard itself raises; SLOT_NONE is not counted. */
export interface ShardSlots {
  /** coredns_panics_total */
  readonly panics: number;
  /** wasmdns_udp_unsent_total: replies that the kernel did not take. */
  readonly unsent: number;
  /** wasmdns_exchanges_refused_total: queries refused because too many were waiting for an answer from elsewhere. */
  readonly refused: number;
}

export type ToShard = Load | Switch | Discard | Drain | LetGo | Stop;
export type FromShard = Loaded | Failed | Done | Released | Notice | Panicked;

/** Create the plugins, open the sockets that are new; go on serving with the old configuration. */
export interface Load extends Configuration {
  readonly kind: 'load';
  readonly id: number;
}

/** Serve with what was loaded, close what it does not need. */
export interface Switch {
  readonly kind: 'switch';
  readonly id: number;
}

/** Forget what was loaded; another shard could not load it. */
export interface Discard {
  readonly kind: 'discard';
  readonly id: number;
}

/** The process is about to end: goes on answering. */
export interface Drain {
  readonly kind: 'drain';
  readonly id: number;
}

/** Clients with a connection are to ask another server: each connection ends behind its next reply. */
export interface LetGo {
  readonly kind: 'let go';
  readonly id: number;
}

/** Take no more queries, finish those that are open within the time, close everything, end the task. */
export interface Stop {
  readonly kind: 'stop';
  readonly id: number;
  readonly graceMs: number;
}

/** Answers Load. */
export interface Loaded {
  readonly kind: 'loaded';
  readonly id: number;
  /** Ports in use, in the order of the listeners. */
  readonly ports: readonly number[];
  /** Why batched system calls are not in use; undefined = they are. */
  readonly fallback?: string | undefined;
}

/** Answers any request that could not be done; a failed Load leaves the old configuration running. */
export interface Failed {
  readonly kind: 'failed';
  readonly id: number;
  readonly message: string;
}

/** Answers Switch, Discard, Drain, LetGo. */
export interface Done {
  readonly kind: 'done';
  readonly id: number;
}

/** The shard holds nothing of this generation any more: its program and shared data may go. */
export interface Released {
  readonly kind: 'released';
  readonly generation: number;
}

/** ShardServices.notifyControl() */
export interface Notice {
  readonly kind: 'notice';
  readonly shard: number;
  readonly generation: number;
  /** ServerBlock.index and the Corefile word. */
  readonly block: number;
  readonly plugin: string;
  readonly message: Plain;
}

/** A plugin threw on a listener of a block that is being debugged: the process is to end. */
export interface Panicked {
  readonly kind: 'panicked';
  readonly text: string;
}
