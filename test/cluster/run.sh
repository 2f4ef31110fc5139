#!/usr/bin/env bash
# Runs the suites on a whole cluster of its own: installs what is missing (15 minutes on 2 cores, once), builds the images,
# starts the cluster, runs, ends it.
#
#   test/cluster/run.sh [SUITE...]      by default workloads and rollout; conformance takes another 10 minutes to install
#
#   WASMDNS_CLUSTER_IMAGE=FILE.tar      the server's image; without it `npm run image` makes one
#   WASMDNS_CLUSTER_KEEP=1              leaves the cluster up; test/cluster/down.sh DIR ends it
#   WASMDNS_CLUSTER_DIR=DIR             where the cluster lives; one that is up there is used, and left up
# A suite's own variables stand at its head.
set -euo pipefail
cd "$(dirname "$0")/../.."
node=node_modules/.bin/node
suites=(workloads rollout)
[ $# -eq 0 ] || suites=("$@")
for suite in "${suites[@]}"; do
  [ -f "test/cluster/$suite.cluster.ts" ] || { echo "run.sh: there is no suite '$suite'" >&2; exit 2; }
done

bash test/e2e/install.sh etcd coredns containerd kube-apiserver kubectl kube-controller-manager kube-scheduler \
  kube-proxy kubelet
case " ${suites[*]} " in *' conformance '*) bash test/e2e/install.sh conformance ;; esac
export WASMDNS_CLUSTER_DIR=${WASMDNS_CLUSTER_DIR:-/tmp/wasmdns-cluster}
if [ ! -e "$WASMDNS_CLUSTER_DIR" ]; then
  image=${WASMDNS_CLUSTER_IMAGE:-}
  [ -n "$image" ] || { npm run image && image=dist/image.tar; }
  [ "${WASMDNS_CLUSTER_KEEP:-}" = 1 ] || trap 'bash test/cluster/down.sh "$WASMDNS_CLUSTER_DIR"' EXIT
  archives=$(bash test/cluster/images.sh dist/images)
  # shellcheck disable=SC2086 # a path a line, none with spaces
  bash test/cluster/up.sh "$WASMDNS_CLUSTER_DIR" $archives "$image"
fi

failed=0
for suite in "${suites[@]}"; do
  echo "== $suite"
  $node --test --test-timeout=3600000 --test-reporter=spec "test/cluster/$suite.cluster.ts" || failed=1
done
exit $failed
