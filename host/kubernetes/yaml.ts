// What little YAML of a kubeconfig is read besides KubeConfig's: loaded only when it is needed (see access.ts).

export { parse } from 'yaml';
