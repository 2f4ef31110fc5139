#!/usr/bin/env bash
# Installs what building the image and running it need, from Debian's packages.
#
#   deploy/image/install.sh [run]       what builds it; with `run` also what runs it as a pod does
set -euo pipefail
packages=(binutils buildah debian-archive-keyring libcap2-bin mmdebstrap)
[ "${1:-}" != run ] || packages+=(binutils-aarch64-linux-gnu catatonit crun iproute2 podman runc util-linux)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0
# Services of packages must not start: a policy-rc.d of our own forbids it while apt runs.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' > $policy
  chmod +x $policy
  trap 'rm -f $policy' EXIT
fi
apt-get update -qq > /dev/null
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
