// Interfaces and their addresses, by rtnetlink (rtnetlink(7)).
//
//   ifinfomsg  0 u8 family · 2 u16 kind · 4 i32 index · 8 u32 flags · 12 u32 flags to change                       = 16
//   ifaddrmsg  0 u8 family · 1 u8 prefix length · 2 u8 flags · 3 u8 scope · 4 u32 index                            = 8

import { addressOctets } from '../dns/address.ts';
import { EEXIST, ENODEV, EOPNOTSUPP, SocketError } from '../net/errno.ts';
import {
  attribute,
  findAttribute,
  NETLINK_ROUTE,
  NetlinkSocket,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
  textAttribute,
} from '../net/netlink.ts';
import { AF_INET, AF_INET6 } from '../net/socket-address.ts';

/** IFNAMSIZ without the zero. */
export const INTERFACE_NAME_BYTES_MAX = 15;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_AF_SPEC = 26;
const IFLA_INFO_KIND = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const ADDR_GEN_MODE_NONE = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** Nobody else has the address: it is good at once. */
const IFA_F_NODAD = 0x02;
const IFF_UP = 0x1;
const IFF_MULTICAST = 0x1000;
const IFINFO_BYTES = 16;

/** Kernels of small virtual machines have no dummy; a bridge without ports does as well. */
export const IDLE_KINDS: readonly string[] = ['dummy', 'bridge'];

export interface Link {
  readonly index: number;
  /** `dummy`, `tun`; '' for hardware and for kinds that have no name. */
  readonly kind: string;
}

export class Links {
  readonly #socket: NetlinkSocket;

  /** Throws SocketError, as all the others. */
  constructor() {
    this.#socket = new NetlinkSocket(NETLINK_ROUTE);
  }

  find(name: string): Link | undefined {
    try {
      const found = this.#exchange('find link', RTM_GETLINK, 0, interfaceBody({}, [textAttribute(IFLA_IFNAME, name)]));
      const link = found.find(({ type }) => type === RTM_NEWLINK);
      if (link === undefined) return undefined;
      const details = findAttribute(link.body, IFINFO_BYTES, IFLA_LINKINFO);
      const kind = details && findAttribute(details, 0, IFLA_INFO_KIND);
      return {
        index: Buffer.from(link.body).readInt32LE(4),
        kind: kind === undefined ? '' : kind.toString('latin1').replaceAll('\0', ''),
      };
    } catch (error) {
      if (error instanceof SocketError && error.errno === ENODEV) return undefined;
      throw error;
    }
  }

  /** An interface that is nobody's and holds addresses; returns its kind, the first that this kernel has. */
  addIdle(name: string): string {
    for (const kind of IDLE_KINDS) {
      const info = attribute(IFLA_LINKINFO, [textAttribute(IFLA_INFO_KIND, kind)]);
      const body = interfaceBody({}, [textAttribute(IFLA_IFNAME, name), info]);
      try {
        this.#exchange('add link', RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body);
        return kind;
      } catch (error) {
        const isLast = kind === IDLE_KINDS.at(-1);
        if (isLast || !(error instanceof SocketError) || error.errno !== EOPNOTSUPP) throw error;
      }
    }
    return '';
  }

  /** Up, and silent: without addresses that nobody gave it, and their multicast. */
  raise(index: number): void {
    const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(ADDR_GEN_MODE_NONE));
    const spec = attribute(IFLA_AF_SPEC, [attribute(AF_INET6, [mode])]);
    try {
      this.#exchange('set link', RTM_NEWLINK, 0, interfaceBody({ index }, [spec]));
    } catch {
      // A node without IPv6
    }
    const body = interfaceBody({ index, flags: IFF_UP, change: IFF_UP | IFF_MULTICAST }, []);
    this.#exchange('raise link', RTM_NEWLINK, 0, body);
  }

  remove(index: number): void {
    this.#exchange('remove link', RTM_DELLINK, 0, interfaceBody({ index }, []));
  }

  /** False: it is there already. */
  addAddress(index: number, address: string): boolean {
    const octets = addressOctets(address)!;
    const head = Buffer.alloc(8);
    head[0] = octets.length === 4 ? AF_INET : AF_INET6;
    head[1] = octets.length * 8;
    head[2] = octets.length === 4 ? 0 : IFA_F_NODAD;
    head.writeUInt32LE(index, 4);
    const body = Buffer.concat([head, attribute(IFA_LOCAL, octets), attribute(IFA_ADDRESS, octets)]);
    try {
      this.#exchange('add address', RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body);
      return true;
    } catch (error) {
      if (error instanceof SocketError && error.errno === EEXIST) return false;
      throw error;
    }
  }

  #exchange(call: string, type: number, flags: number, body: Uint8Array) {
    return this.#socket.exchange(call, [{ type, flags: flags | NLM_F_ACK, body }]);
  }
}

function interfaceBody(
  { index = 0, flags = 0, change = 0 }: { readonly index?: number; readonly flags?: number; readonly change?: number },
  attributes: readonly Uint8Array[],
): Uint8Array {
  const head = Buffer.alloc(IFINFO_BYTES);
  head.writeInt32LE(index, 4);
  head.writeUInt32LE(flags, 8);
  head.writeUInt32LE(change, 12);
  return Buffer.concat([head, ...attributes]);
}
