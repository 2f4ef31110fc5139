#!/usr/bin/env bash
# Runs a command with a pod's /etc/resolv.conf (cluster.local, ndots:5, the server on 127.0.0.1), hosts and nsswitch.conf, in a mount
# namespace of its own: nothing of the machine's changes.
#
#   test/e2e/resolvers/pod.sh COMMAND...
set -euo pipefail
if [ "${WASMDNS_E2E_POD:-}" != inside ]; then
  WASMDNS_E2E_POD=inside exec unshare --mount bash "$0" "$@"
fi
files=$(mktemp -d)
printf 'nameserver 127.0.0.1\nsearch shop.svc.cluster.local svc.cluster.local cluster.local\noptions ndots:5\n' > "$files/resolv.conf"
printf '127.0.0.1 localhost\n::1 localhost\n' > "$files/hosts"
printf 'hosts: files dns\n' > "$files/nsswitch.conf"
for file in resolv.conf hosts nsswitch.conf; do
  # A link would lead to a file of the machine's.
  [ ! -L "/etc/$file" ] || { echo "pod.sh: /etc/$file is a link" >&2; exit 1; }
  mount --bind "$files/$file" "/etc/$file"
done
exec "$@"
