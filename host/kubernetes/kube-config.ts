// The one thing we take from @kubernetes/client-node, imported by its file: the package's index would bring a thousand
// API classes along. Loaded only when plugin kubernetes is used (see access.ts).

export { KubeConfig } from '@kubernetes/client-node/dist/config.js';
