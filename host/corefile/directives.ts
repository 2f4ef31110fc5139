// Words that CoreDNS 1.14.7 takes as directives (its plugin.cfg). Those this server does not have are refused by name,
// so that a wrong word and a missing feature read differently.

export const COREDNS_DIRECTIVES: readonly string[] = [
  ...['root', 'metadata', 'geoip', 'cancel', 'proxyproto', 'quic', 'grpc_server', 'https', 'https3', 'timeouts'],
  ...['multisocket', 'reload', 'nsid', 'bufsize', 'bind', 'debug', 'trace', 'ready', 'health', 'pprof', 'shed'],
  ...['prometheus', 'errors', 'log', 'dnstap', 'local', 'dns64', 'any', 'chaos', 'loadbalance', 'tsig', 'rewrite'],
  ...['autopath', 'acl', 'cache', 'header', 'dnssec', 'tls', 'minimal', 'template', 'transfer', 'hosts', 'route53'],
  ...['azure', 'clouddns', 'k8s_external', 'kubernetes', 'file', 'auto', 'secondary', 'etcd', 'loop', 'forward'],
  ...['grpc', 'erratic', 'whoami', 'on', 'sign', 'view', 'nomad'],
];
