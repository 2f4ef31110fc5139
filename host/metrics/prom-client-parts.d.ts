// Parts of prom-client that its own types leave out: one process family each, without the event-loop and garbage
// collection observers that collectDefaultMetrics() starts with them.

declare module 'prom-client/lib/metrics/*' {
  const collect: (register: import('prom-client').Registry) => void;
  export default collect;
}
