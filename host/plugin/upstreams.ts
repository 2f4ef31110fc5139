// Sockets towards upstreams, as a shard gives them to its plugins.

export interface Upstreams {
  /** A connected UDP socket on a random port; replies arrive in batches. Throws on an unusable address. */
  connectUdp(remote: UpstreamAddress, listener: UpstreamListener): UdpUpstream;
  /** One TCP connection; at most one message in flight is the caller's rule, not this socket's. */
  connectTcp(remote: UpstreamAddress, timeoutMs: number, listener: UpstreamListener): TcpUpstream;
}
export interface UpstreamAddress {
  readonly address: string;
  readonly port: number;
  /** Local address of the socket; the system's choice without. */
  readonly source?: string;
}
export interface UpstreamListener {
  /** One reply message in shared memory, valid during the call. */
  onMessage(offset: number, bytes: number): void;
  /** errno text as Go prints it: `connection refused`, `i/o timeout`; TCP, while connecting: `connect: connection refused`. */
  onError(text: string): void;
  /** TCP: connected. */
  onOpen?(): void;
  /** TCP: the peer closed, perhaps in the midst of a length or a message. */
  onClose?(isCut: boolean): void;
}
export interface UdpUpstream {
  /** `127.0.0.1:49303` */
  readonly localAddress: string;
  /** Queues the message at offset with another id and header word; flushed with the batch. False: not sent. */
  send(offset: number, bytes: number, id: number, flags: number): boolean;
  close(): void;
}
export interface TcpUpstream {
  readonly localAddress: string;
  send(offset: number, bytes: number, id: number, flags: number): void;
  close(): void;
}
