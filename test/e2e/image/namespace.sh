#!/usr/bin/env bash
# Runs a command in a network namespace of its own, without a way out: loopback, one more address, and a default route
# into nothing, which the API server looks for. Port 53 is free there, and only the right to bind it binds it.
#
#   test/e2e/image/namespace.sh COMMAND...
set -euo pipefail
if [ "${WASMDNS_E2E_NAMESPACE:-}" != inside ]; then
  WASMDNS_E2E_NAMESPACE=inside exec unshare --net bash "$0" "$@"
fi
ip link set lo up
ip link add own0 type veth peer name own1
ip address add 192.0.2.1/24 dev own0
ip link set own0 up
ip link set own1 up
ip route add default via 192.0.2.254
exec "$@"
