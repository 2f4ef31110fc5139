#!/usr/bin/env bash
# Packs a directory as an image of one layer, a docker archive, without a registry or a builder.
#
#   test/cluster/image.sh TAG[,TAG...] ROOT OUT.tar ENTRYPOINT [ARGUMENT...]
set -euo pipefail
tags=\"${1//,/\",\"}\" root=$2 out=$3
shift 3
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tar -C "$root" --owner=0 --group=0 --numeric-owner --mtime=@0 --sort=name -cf "$scratch/layer.tar" .
entry=$(printf ',"%s"' "$@")
case $(uname -m) in aarch64) architecture=arm64 ;; *) architecture=amd64 ;; esac
cat > "$scratch/config.json" << J
{"architecture":"$architecture","os":"linux","config":{"Entrypoint":[${entry#,}],"Env":["PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin"]},
 "rootfs":{"type":"layers","diff_ids":["sha256:$(sha256sum < "$scratch/layer.tar" | cut -d' ' -f1)"]}}
J
printf '[{"Config":"config.json","RepoTags":[%s],"Layers":["layer.tar"]}]\n' "$tags" > "$scratch/manifest.json"
tar -C "$scratch" -cf "$out" manifest.json config.json layer.tar
