#!/usr/bin/env bash
# Installs what the end-to-end suites and the bench need beside npm: a real etcd, kube-apiserver and CoreDNS
# (built from their published Go modules, so nothing but the Go module proxy is needed) and, from Debian's
# packages, dig, dnsperf and the bench's peers.
#
#   test/e2e/install.sh [etcd] [kube-apiserver] [coredns] [helm] [apt]     without arguments: all of these
#
# What a whole cluster needs beside them (test/cluster/) is installed only when it is named: kube-controller-manager,
# kube-scheduler, kube-proxy, kubelet, kubectl and, from Debian's packages, containerd; Kubernetes' own end-to-end suite and
# what its pods run: conformance.
#
# The compilers and programs of suite resolvers: `resolvers`; the packet filters of suite nodelocal: `nodelocal`.
#
# Binaries land in ${WASMDNS_TOOLS:-$HOME/.cache/wasmdns-tools}/bin and stay there between runs; a second run
# takes no time. First run: about 15 minutes on 2 cores, 8 more for the cluster's.
set -euo pipefail
tools=${WASMDNS_TOOLS:-$HOME/.cache/wasmdns-tools}
kubernetes=1.36.3 etcd=3.7.3 coredns=1.14.7 helm=4.3.1
mkdir -p "$tools/bin"
[ $# -gt 0 ] || set -- apt coredns etcd kube-apiserver helm

need_go() {
  command -v go > /dev/null || { echo "install.sh: go 1.26 or newer is needed to build the tools" >&2; exit 1; }
}

install_coredns() {
  [ -x "$tools/bin/coredns" ] && return
  need_go
  GOBIN="$tools/bin" CGO_ENABLED=0 go install "github.com/coredns/coredns@v$coredns"
}

install_helm() {
  [ -x "$tools/bin/helm" ] && return
  need_go
  GOBIN="$tools/bin" CGO_ENABLED=0 go install -ldflags '-s -w' "helm.sh/helm/v4/cmd/helm@v$helm"
}

# etcd's own module has replace lines, which `go install` refuses; a three-line main calls it instead. Debian 12's
# etcd 3.4 would start, but lacks RequestWatchProgress, and without that the API server refuses WatchList.
install_etcd() {
  [ -x "$tools/bin/etcd" ] && return
  need_go
  mkdir -p "$tools/build-etcd/etcd"
  cd "$tools/build-etcd"
  rm -f go.mod go.sum
  go mod init etcd-wrapper 2> /dev/null
  cat > etcd/main.go <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
  go get "go.etcd.io/etcd/server/v3@v$etcd" 2> /dev/null
  go build -mod=mod -buildvcs=false -ldflags '-s -w' -o "$tools/bin/etcd" ./etcd
}

# One of Kubernetes' own commands.
install_kubernetes() {
  install_kubernetes_at "cmd/$1" "$1"
}

install_kubernetes_at() {
  [ -x "$tools/bin/$2" ] && return
  need_go
  mkdir -p "$tools/build-kubernetes"
  cd "$tools/build-kubernetes"
  grep -q "k8s.io/kubernetes v$kubernetes\$" go.mod 2> /dev/null || wrap_kubernetes
  go build -mod=mod -buildvcs=false -ldflags '-s -w' -o "$tools/bin/$2" "k8s.io/kubernetes/$1"
}

# k8s.io/kubernetes names its staging modules at v0.0.0; each is replaced by its published version.
wrap_kubernetes() {
  local gomod module
  gomod=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
  rm -f go.mod go.sum
  go mod init kubernetes-wrapper 2> /dev/null
  for module in $(grep -E '^\s*k8s.io/[a-z0-9-]+ v0.0.0$' "$gomod" | awk '{print $1}'); do
    go mod edit -replace "$module=$module@v0.${kubernetes#1.}"
  done
  go mod edit -require "k8s.io/kubernetes@v$kubernetes"
  printf 'package tools\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n' > tools.go
}

# e2e.test, and agnhost with the Debian that stands in for its image's base.
install_conformance() {
  install_kubernetes_at test/images/agnhost agnhost
  if [ ! -x "$tools/bin/e2e.test" ]; then
    cd "$tools/build-kubernetes"
    go test -mod=mod -c -ldflags '-s -w' -o "$tools/bin/e2e.test" k8s.io/kubernetes/test/e2e
  fi
  install_packages mmdebstrap
  [ -e "$tools/agnhost-base.tar" ] || mmdebstrap --quiet --variant=essential \
    --include=bind9-dnsutils,bash,curl,netcat-openbsd,iproute2,ca-certificates bookworm "$tools/agnhost-base.tar"
}

install_apt() {
  install_packages bind9-dnsutils dnsperf knot nsd unbound dnsdist openssl curl iproute2
}

install_resolvers() {
  need_go
  install_packages gcc libc6-dev musl-tools busybox-static default-jdk-headless python3 iproute2
}

install_nodelocal() {
  install_packages iproute2 iptables nftables util-linux
}

install_containerd() {
  install_packages containerd containernetworking-plugins runc nftables conntrack iproute2 procps openssl busybox-static
}

# The packages' services must not start: a policy-rc.d of our own forbids it while apt runs.
install_packages() {
  local missing=() package policy=/usr/sbin/policy-rc.d ours=
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod +x $policy
    ours=1
  fi
  apt-get update -qq > /dev/null
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
  [ -z "$ours" ] || rm -f $policy
}

for part in "$@"; do
  (case $part in
    apt | coredns | etcd | helm | containerd | conformance | resolvers | nodelocal) "install_$part" ;;
    kube-apiserver | kube-controller-manager | kube-scheduler | kube-proxy | kubelet | kubectl) install_kubernetes "$part" ;;
    *) echo "install.sh: unknown part '$part'" >&2; exit 1 ;;
  esac)
done
