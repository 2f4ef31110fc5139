#!/usr/bin/env bash
# Builds the image without a registry: the two bases from Debian's packages and npm's, then the Dockerfile as it stands.
#
#   deploy/image/build.sh        localhost/wasmdns:dev in this machine's container storage, and dist/image.tar
#
# Needs root and Debian (or Ubuntu) with its package mirror; buildah and mmdebstrap are installed when they are missing.
# The bases are built once and kept in the container storage. WASMDNS_IMAGE_BASES=fresh builds them anew.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
suite=trixie tag=localhost/wasmdns:dev
case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) echo "build.sh: there is no image for $(uname -m)" >&2 && exit 1 ;;
esac
node_package=node_modules/node-linux-$arch
[ "$(id -u)" = 0 ] || { echo 'build.sh: building root file systems needs root' >&2 && exit 1; }
[ -x $node_package/bin/node ] || { echo "build.sh: $node_package is missing: npm ci" >&2 && exit 1; }
bash deploy/image/install.sh

# What the bases are made of is this file and Node: a change of either makes new ones.
key=$(cat "$0" $node_package/package.json | sha256sum | cut -c1-12)
run_base=localhost/wasmdns-run-base:$key build_base=localhost/wasmdns-build-base:$key

# Nothing that goes into the image is newer than the archive, and the storage still has what is in it.
if [ "${WASMDNS_IMAGE_BASES:-}" != fresh ] && [ -e dist/image.tar ] && buildah inspect --type image $tag > /dev/null 2>&1 &&
  [ -z "$(find host engine-as deploy/image Dockerfile .dockerignore LICENSE package.json package-lock.json asconfig.json -newer dist/image.tar -print -quit)" ]; then
  echo 'dist/image.tar is up to date'
  exit 0
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# Runs a command without its words, unless it fails.
quietly() {
  "$@" > "$scratch/said" 2>&1 || { cat "$scratch/said" >&2 && exit 1; }
}

has_image() {
  [ "${WASMDNS_IMAGE_BASES:-}" != fresh ] && buildah inspect --type image "$1" > /dev/null 2>&1
}

# glibc, libstdc++, certificates, the names of two users, and nothing that could run: what distroless images hold.
make_run_base() {
  local certificates users empty
  certificates='cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1"/etc/ssl/certs/ca-certificates.crt'
  users='printf "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n" > "$1"/etc/passwd
    printf "root:x:0:\nnonroot:x:65532:\n" > "$1"/etc/group'
  empty='cd "$1" && rm -rf usr/bin/* usr/sbin/* usr/share/perl5 usr/share/debconf usr/share/lintian usr/share/ca-certificates \
    usr/lib/*/gconv usr/lib/*/ossl-modules usr/lib/*/engines-3 usr/lib/*/libcrypto.so* usr/lib/*/libssl.so* \
    usr/lib/*/libmvec* usr/lib/*/libzstd* usr/lib/*/perl-base usr/lib/*/audit usr/lib/ssl/misc \
    etc/hostname etc/resolv.conf etc/update-motd.d var/lib/apt var/cache/* var/log/* var/lib/dpkg/info'
  quietly mmdebstrap --quiet --variant=extract --include=base-files,netbase,libc6,libstdc++6,ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --extract-hook="$certificates" --extract-hook="$empty" --extract-hook="$users" \
    $suite "$scratch/run-base.tar"
  printf 'FROM scratch\nADD run-base.tar /\n' > "$scratch/Dockerfile"
  quietly buildah bud --quiet --tag "$run_base" "$scratch"
}

# What stands in for node:26-trixie-slim: Debian, this checkout's Node and this machine's npm version.
make_build_base() {
  quietly mmdebstrap --quiet --variant=apt --include=ca-certificates,libatomic1,libstdc++6 $suite "$scratch/build-base.tar"
  quietly npm install --prefix "$scratch/npm" --no-package-lock --no-audit --no-fund --silent "npm@$(npm --version)"
  cp $node_package/bin/node "$scratch/node"
  cat > "$scratch/Dockerfile" << 'D'
FROM scratch
ADD build-base.tar /
COPY node /usr/local/bin/node
COPY npm/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm
D
  quietly buildah bud --quiet --tag "$build_base" "$scratch"
}

# npm inside the build asks the registry that npm asks here, and trusts whom this machine trusts: a mirror behind a
# private authority works. Both are mounts: nothing of them is in the image.
authorities=/etc/ssl/certs/ca-certificates.crt
printf 'registry=%s\ncafile=%s\n' "$(npm config get registry)" $authorities > "$scratch/npmrc"
mounts=(--volume "$scratch/npmrc:/usr/local/etc/npmrc:ro")
[ ! -e $authorities ] || mounts+=(--volume "$authorities:$authorities:ro")

has_image "$run_base" || { echo '== the base to run on' && make_run_base; }
has_image "$build_base" || { echo '== the base to build on' && make_build_base; }
echo '== the image'
quietly buildah bud "${mounts[@]}" --build-arg "BUILD_IMAGE=$build_base" --build-arg "RUN_IMAGE=$run_base" --tag $tag .
mkdir -p dist
rm -f dist/image.tar
quietly buildah push --quiet $tag "docker-archive:dist/image.tar:$tag"
printf '%s, dist/image.tar: %d MB, %d MB compressed\n' $tag \
  $(($(stat -c %s dist/image.tar) / 1000000)) $(($(gzip -c dist/image.tar | wc -c) / 1000000))
