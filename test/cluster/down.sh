#!/usr/bin/env bash
# Ends the cluster that up.sh started in DIR, by the process ids written there, and takes its traces off the machine.
#
#   test/cluster/down.sh DIR
set -u
[ -d "${1:?usage: down.sh DIR}" ] || exit 0
dir=$(cd "$1" && pwd)
cd "$dir" || exit 1

# A pid file outlives its process, and the number may be another program's by now: look what runs under it.
ours() {
  local pid
  pid=$(cat "$1.pid" 2> /dev/null) && [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd")" = "$dir" ] && echo "$pid"
}

end() {
  local name pid
  for name in "$@"; do pid=$(ours "$name") && kill "$pid"; done
  for _ in $(seq 50); do
    local left=
    for name in "$@"; do ours "$name" > wait.log && left=1; done
    [ -n "$left" ] || return
    sleep 0.1
  done
  for name in "$@"; do pid=$(ours "$name") && kill -9 "$pid"; done
}

[ ! -x kubectl ] || timeout 40 ./kubectl delete deployments,statefulsets,daemonsets,jobs,pods -A --all --grace-period=1 \
  --wait --timeout=30s > delete.log 2>&1
end kubelet proxy scheduler controllers
# The shims are children of nobody; each names the socket of its containerd.
for process in /proc/[0-9]*; do
  if tr '\0' ' ' 2> /dev/null < "$process/cmdline" | grep -q "^[^ ]*containerd-shim.* $dir/containerd.sock "; then
    kill -9 "${process#/proc/}"
  fi
done
end containerd apiserver etcd
grep -o " $dir/[^ ]*" /proc/self/mounts | sort -r | while read -r mount; do umount -l "$mount"; done
# Pods' namespaces that containerd could not take away any more.
for name in $(ls /run/netns); do
  case $name in cni-*) grep -qx "$name" netns.before || ip netns delete "$name" ;; esac
done
ip netns delete wasmdns-cluster 2> /dev/null
sed 's/ = /=/' sysctl.before | while read -r setting; do sysctl -q -w "$setting"; done
find /sys/fs/cgroup -depth -type d -path '*kubepods*' -exec rmdir {} + 2> /dev/null
cd / && rm -rf "$dir"
