#!/usr/bin/env bash
# Runs the end-to-end suites against the real programs: etcd, kube-apiserver, CoreDNS, dnsperf.
#
#   test/e2e/run.sh [SUITE...]        all of them by default, in the order of the list below
#
# Prints each suite's counts; a suite that could not run fails the whole. The tools are installed on first use. A suite's
# own variables stand at its head.
#   WASMDNS_E2E_SEED=N                repeats the random choices of a run
#   WASMDNS_E2E_QUESTIONS=N           questions of the differential suite (20000), over at least 40 Corefiles
#   WASMDNS_E2E_COREFILES=N           generated Corefiles of the differential suite (60), 100 more questions each
#   WASMDNS_E2E_FAULTS=N              how often suite truth repeats each fault (1)
#   WASMDNS_E2E_TIMEOUT_MS=N          for one suite (600000)
#   WASMDNS_E2E_SEAT=coredns          CoreDNS in wasmdns's place: checks the suites themselves
set -euo pipefail
cd "$(dirname "$0")/../.."
node=node_modules/.bin/node
suites=(verdicts cases rdata cache order dnssd odd-objects access start changes programming watch truth faults scale simulate replicas cost differential planted scenarios helm resolvers nodelocal capacity image image-cases image-arm64 manifest)
[ $# -eq 0 ] || suites=("$@")

for suite in "${suites[@]}"; do
  [ -f "test/e2e/$suite.e2e.ts" ] || { echo "run.sh: there is no suite '$suite'" >&2; exit 2; }
done
bash test/e2e/install.sh
[ "${WASMDNS_E2E_SEAT:-wasmdns}" = coredns ] || npm run --silent build

log=$(mktemp)
trap 'rm -f "$log"' EXIT
table=() failed=0
for suite in "${suites[@]}"; do
  echo "== $suite"
  started=$SECONDS status=0 place=() more=()
  case $suite in
    # Node.js may wait for ever for the TLS connections that its proxy has reset, when everything is over.
    truth) more=(--test-force-exit) ;;
    image-arm64) bash deploy/image/install.sh run ;;
    # They run the image in containers whose network is that of the test, and that leads nowhere.
    image | image-cases)
      bash deploy/image/install.sh run
      npm run --silent image
      place=(bash test/e2e/image/namespace.sh)
      ;;
    nodelocal)
      bash test/e2e/install.sh nodelocal
      place=(bash test/e2e/image/namespace.sh)
      ;;
    # Programs find the server on port 53, through a resolv.conf of their own.
    resolvers)
      bash test/e2e/install.sh resolvers
      place=(bash test/e2e/image/namespace.sh bash test/e2e/resolvers/pod.sh)
      ;;
  esac
  # The single passes of the cases would hide everything else.
  "${place[@]}" $node --test "${more[@]}" --test-timeout="${WASMDNS_E2E_TIMEOUT_MS:-600000}" --test-reporter=spec "test/e2e/$suite.e2e.ts" 2>&1 | tee "$log" | grep -v '^    ✔' ||
    status=${PIPESTATUS[0]}
  count() { sed -n "s/^ℹ $1 \([0-9]*\).*/\1/p" "$log" | tail -1; }
  passed=$(count pass) skipped=$(count skipped) broken=$(($(count fail) + $(count cancelled)))
  verdict=ok
  if [ "$status" -ne 0 ] || [ "${passed:-0}" -eq 0 ] || [ "$broken" -ne 0 ]; then
    verdict=FAILED failed=1
  fi
  table+=("$(printf '%-14s %-7s %5s passed %3s failed %3s skipped %5s s' \
    "$suite" "$verdict" "${passed:-0}" "$broken" "${skipped:-0}" $((SECONDS - started)))")
done
printf '%s\n' '== end-to-end suites' "${table[@]}"
exit $failed
