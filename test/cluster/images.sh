#!/usr/bin/env bash
# Makes the images that a cluster of the tests needs beside the server's own: the sandbox of every pod, a busybox, and
# CoreDNS. Prints the archives' paths.
#
#   test/cluster/images.sh DIR
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mkdir -p "$1" && cd "$1" && pwd)
tools=${WASMDNS_TOOLS:-$HOME/.cache/wasmdns-tools}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

mkdir -p "$scratch/busybox/bin" "$scratch/busybox/tmp"
cp /usr/bin/busybox "$scratch/busybox/bin/busybox"
for applet in $(/usr/bin/busybox --list); do
  [ "$applet" = busybox ] || ln "$scratch/busybox/bin/busybox" "$scratch/busybox/bin/$applet"
done
bash "$here/image.sh" localhost/busybox:test "$scratch/busybox" "$dir/busybox.tar" /bin/sh
# It holds a pod's namespaces and does nothing: sleep is killed when the pod ends.
bash "$here/image.sh" localhost/pause:test "$scratch/busybox" "$dir/pause.tar" /bin/sleep infinity

mkdir -p "$scratch/coredns/etc"
cp "$tools/bin/coredns" "$scratch/coredns/coredns"
bash "$here/image.sh" localhost/coredns:test "$scratch/coredns" "$dir/coredns.tar" /coredns
printf '%s\n' "$dir/pause.tar" "$dir/busybox.tar" "$dir/coredns.tar"
