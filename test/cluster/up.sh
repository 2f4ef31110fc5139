#!/usr/bin/env bash
# A whole Kubernetes cluster of one node in the network namespace `wasmdns-cluster`, which has no way out: etcd, API
# server, controllers, scheduler, kube-proxy (nftables), containerd and kubelet. Ready in about 15 s.
#
#   test/cluster/up.sh DIR [IMAGE.tar...]     the first archive is pause.tar of images.sh; pods say imagePullPolicy: Never
#
# Needs root. Afterwards DIR/inside COMMAND... runs a command in the namespace, and DIR/kubectl is kubectl. What is said by
# every program stands in DIR/NAME.log. `down.sh DIR` ends it all.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo 'up.sh: network namespaces and containers need root' >&2; exit 1; }
dir=${1:?usage: up.sh DIR [IMAGE.tar...]}
shift
images=()
[ $# -eq 0 ] || mapfile -t images < <(realpath -e "$@")
[ ! -e "$dir" ] || { echo "up.sh: $dir exists: is a cluster up already? down.sh ends it" >&2; exit 1; }
bin=${WASMDNS_TOOLS:-$HOME/.cache/wasmdns-tools}/bin
mkdir -p "$dir/cni"
dir=$(cd "$dir" && pwd)
cd "$dir"
# Paths of UNIX sockets end at 107 octets.
[ ${#dir} -lt 60 ] || { echo "up.sh: the path $dir is too long for sockets below it" >&2; exit 1; }

namespace=wasmdns-cluster node=10.244.77.1
# Not `ip netns exec`: that hides /sys/fs/cgroup.
inside=(nsenter "--net=/run/netns/$namespace")
# The kubelet sets these for the whole machine; down.sh puts them back.
sysctl vm.overcommit_memory kernel.panic kernel.panic_on_oops > sysctl.before
ls /run/netns > netns.before

start() {
  local name=$1
  shift
  setsid "${inside[@]}" "$@" > "$name.log" 2>&1 < /dev/null &
  echo $! > "$name.pid"
}

# Until COMMAND succeeds, for 90 s at most.
wait_for() {
  local what=$1
  shift
  for _ in $(seq 300); do
    if "$@" > wait.log 2>&1; then return; fi
    sleep 0.3
  done
  echo "up.sh: $what: not within 90 s; last words:" >&2
  tail -5 wait.log >&2
  exit 1
}

make_network() {
  ip netns add $namespace
  ip -n $namespace link set lo up
  ip -n $namespace link add cni9 type bridge
  ip -n $namespace address add $node/24 dev cni9
  ip -n $namespace link set cni9 up
  # Leads nowhere, but the programs want a default route.
  ip -n $namespace route add default via 10.244.77.254
  "${inside[@]}" sysctl -q -w net.ipv4.ip_forward=1
  cat > cni/10-bridge.conflist << J
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni9", "isGateway": true, "hairpinMode": true, "ipam": {"type": "host-local",
   "dataDir": "$dir/ipam", "ranges": [[{"subnet": "10.244.77.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "loopback"}]}
J
}

write_configuration() {
  openssl genrsa -out service-accounts.key 2048 2> openssl.log
  echo 'admin-token,admin,admin,system:masters' > tokens.csv
  echo "nameserver $node" > resolv.conf
  cat > kubeconfig << Y
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://$node:6443", insecure-skip-tls-verify: true}}]
users: [{name: u, user: {token: admin-token}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
Y
  cat > kubelet.yaml << Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $node
readOnlyPort: 0
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
oomScoreAdj: 0
containerRuntimeEndpoint: unix://$dir/containerd.sock
podLogsDir: $dir/pod-logs
volumePluginDir: $dir/volume-plugins
clusterDomain: cluster.local
clusterDNS: [10.96.0.10]
resolvConf: $dir/resolv.conf
# Disks of machines that test are often full.
evictionHard: {memory.available: 100Mi}
imageGCHighThresholdPercent: 100
Y
  cat > containerd.toml << T
version = 2
root = "$dir/containerd/root"
state = "$dir/containerd/state"
[grpc]
address = "$dir/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "localhost/pause:test"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "$dir/cni"
T
  printf '#!/bin/sh\nexec %s "$@"\n' "${inside[*]}" > inside
  printf '#!/bin/sh\nexec %s %s/kubectl --kubeconfig %s/kubeconfig "$@"\n' "${inside[*]}" "$bin" "$dir" > kubectl
  chmod +x inside kubectl
}

start_control_plane() {
  start etcd "$bin/etcd" --data-dir etcd-data --unsafe-no-fsync --log-level error
  wait_for 'etcd' "${inside[@]}" curl -sf http://127.0.0.1:2379/health
  start apiserver "$bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --cert-dir=certs --secure-port=6443 \
    --advertise-address=$node --service-account-issuer=https://kubernetes.default.svc \
    --service-account-key-file=service-accounts.key --service-account-signing-key-file=service-accounts.key \
    --kubelet-preferred-address-types=InternalIP --authorization-mode=Node,RBAC --token-auth-file=tokens.csv \
    --service-cluster-ip-range=10.96.0.0/12 --allow-privileged
  wait_for 'the API server' ./kubectl get --raw /readyz
  start controllers "$bin/kube-controller-manager" --kubeconfig=kubeconfig --leader-elect=false --cert-dir=controllers \
    --service-account-private-key-file=service-accounts.key --root-ca-file=certs/apiserver.crt --bind-address=127.0.0.1
  start scheduler "$bin/kube-scheduler" --kubeconfig=kubeconfig --leader-elect=false --bind-address=127.0.0.1
}

start_node() {
  local image
  # kube-proxy may not set the machine's conntrack limits from within a namespace: 0 leaves them alone.
  start proxy "$bin/kube-proxy" --kubeconfig=kubeconfig --proxy-mode=nftables --cluster-cidr=10.244.0.0/16 \
    --hostname-override=n1 --bind-address=$node --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0
  start containerd containerd -c containerd.toml
  wait_for 'containerd' ctr -a containerd.sock version
  for image in "${images[@]}"; do ctr -a containerd.sock -n k8s.io images import "$image" > import.log; done
  start kubelet "$bin/kubelet" --config kubelet.yaml --kubeconfig kubeconfig --hostname-override n1 --node-ip $node \
    --root-dir "$dir/kubelet" --cert-dir "$dir/kubelet/pki"
  wait_for 'the node' sh -c './kubectl get node n1 --no-headers | grep -q " Ready"'
}

make_network
write_configuration
start_control_plane
start_node
echo "the cluster is up: $dir/kubectl get pods -A"
