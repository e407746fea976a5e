#!/usr/bin/env bash
# npm test (all), npm run test:fast (fast), npm run proof (proof: the random tests at full size, and the benchmarks):
# brings what the tests need, saying first what that is, and runs them.
#   ROOKERY_PEERS=none  leaves the real peers (Cyrus, Postfix, swaks, haproxy) out: neither installed nor tested against
#   CI=true             nothing may be left out: what can't be installed, and any skipped test, is a failure
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export PATH=$PWD/node_modules/.bin:$PATH
peers=(cyrus-imapd cyrus-murder cyrus-replication cyrus-admin sasl2-bin libsasl2-modules libsasl2-modules-db postfix swaks libnet-ssleay-perl haproxy prometheus)
# These conflict with those, and are unpacked into var instead (test/harness/peers.ts looks there): one set a line.
unpacked=('exim4-daemon-light' 'dovecot-core dovecot-lmtpd')
# The conversations in test/dialogs are played by tests in integration.
all=(unit property integration fault peers)
patience=420 # seconds for one file, on a slow machine: a test that hangs is a failure, not a wait
say() { echo "test: $*"; }
fail() {
  say "$*"
  exit 1
}

missing_peers() {
  local name
  for name in "${peers[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || echo "$name"
  done
}

# Leaving something out is said, with the reason; in CI it is a failure.
leave_peers_out() {
  [ "${CI:-}" != true ] || fail "the real peers can't be tested against ($1), and in CI nothing may be left out"
  say "left out: the tests against real peers ($1)"
}

bring_peers() {
  local missing
  [ "${ROOKERY_PEERS:-}" != none ] || { leave_peers_out 'ROOKERY_PEERS=none' && return; }
  type -P apt-get dpkg-query >/dev/null || { leave_peers_out 'no Debian: each test says what it misses' && return; }
  mapfile -t missing < <(missing_peers)
  [ "$(id -u)" = 0 ] || { leave_peers_out "not root: Cyrus and Postfix can't be started${missing[0]:+, nor installed: ${missing[*]}}" && return; }
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing with apt, daemons kept from starting: ${missing[*]}"
    infra/local/apt-install.sh "${missing[@]}" || {
      leave_peers_out "apt could not install ${missing[*]}"
      export ROOKERY_PEERS=none
      return
    }
  fi
  unpack_peers
}

unpack_peers() {
  local set
  for set in "${unpacked[@]}"; do
    # shellcheck disable=SC2086 # its words are packages
    infra/local/unpack.sh $set >/dev/null && continue
    [ "${CI:-}" != true ] || fail "$set could not be unpacked, and in CI nothing may be left out"
    say "left out: the tests against $set"
  done
}

# node --test is content with a pattern that matches nothing; we are not.
test_files() {
  local room
  for room in "$@"; do
    compgen -G "test/$room/*.test.ts" || fail "no test in test/$room" >&2
  done
}

run_tests() {
  local list files
  list=$(test_files "$@") || exit 1
  mapfile -t files <<<"$list"
  run_files "${files[@]}"
}

run_files() {
  local status=0
  rm -f "$scratch"/*.tap
  node_tests many "$@" || status=$?
  told $status
}

# Those that start nothing share one process, most of whose time would be the start of many; npm test gives each file its own.
# The dependency rule is npm run check's, which npm test begins with.
run_fast() {
  local list alone together status=0
  list=$(test_files unit property | grep -vx test/unit/house.test.ts) || exit 1
  mapfile -t together <<<"$list"
  list=$(test_files integration) || exit 1
  mapfile -t alone <<<"$list"
  node_tests one --experimental-test-isolation=none "${together[@]}" >"$scratch/said" 2>&1 &
  node_tests many "${alone[@]}" || status=$?
  wait $! || status=$?
  cat "$scratch/said"
  told $status
}

# node --test as NAME, which its counts are kept by; what follows are its options and files.
node_tests() {
  local name=$1 count
  shift
  # Real servers are heavy: a few files at a time.
  count=$(nproc 2>/dev/null || echo 2)
  count=$((count < 2 ? 2 : count > 4 ? 4 : count))
  # The fast ones start few, and wait for them part of their time.
  [ "$mode" != fast ] || count=$((count + 1))
  node --test --test-timeout=$((patience * 1000)) --test-concurrency=$count --test-reporter=spec --test-reporter-destination=stdout \
    --test-reporter=tap --test-reporter-destination="$scratch/$name.tap" "$@"
}

count_of() {
  local tap
  for tap in "$scratch"/*.tap; do sed -n "s/^# $1 //p" "$tap" | tail -n 1; done | awk '{ sum += $1 } END { print sum + 0 }'
}

# Says what became of all, and returns the status as it was, or 1.
told() {
  local status=$1 counts
  counts="$(count_of pass) passed, $(($(count_of fail) + $(count_of cancelled))) failed, $(count_of skipped) skipped"
  [ "$(count_of tests)" -gt 0 ] || fail 'no test was run'
  if [ "${CI:-}" = true ] && [ "$(count_of skipped)" -gt 0 ]; then
    say 'tests were skipped, and in CI nothing may be left out'
    status=1
  fi
  say "done in $SECONDS s"
  echo "$counts"
  return "$status"
}

mode=${1:-}
[[ $mode =~ ^(all|fast|proof)$ ]] || fail 'usage: test/run.sh all|fast|proof'
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

say 'needs the npm packages and a redis-server or valkey-server; brings what is missing'
infra/local/packages.sh
ROOKERY_REDIS_BIN=$(infra/local/redis-bring.sh "$PWD/var")
export ROOKERY_REDIS_BIN
if [ "$mode" = fast ]; then
  # Some of the random histories: npm test has all of them.
  export ROOKERY_TEST_OPERATIONS=${ROOKERY_TEST_OPERATIONS:-4000} ROOKERY_TEST_BODIES=${ROOKERY_TEST_BODIES:-400}
  run_fast
elif [ "$mode" = proof ]; then
  export ROOKERY_TEST_OPERATIONS=1000000 ROOKERY_TEST_BODIES=20000
  patience=900
  bring_peers
  ROOKERY_TEST_SCALE=full run_files test/fault/placement-burst.test.ts
  run_files test/property/directory.test.ts test/property/world.test.ts test/integration/lmtp-transparency.test.ts
  # One after the other: their thousands of mailboxes and messages leave no room for a second Murder.
  for file in test/peers/murder-*.test.ts; do ROOKERY_TEST_SCALE=full run_files "$file"; done
  for file in test/peers/move-faults.test.ts test/peers/moves-evacuation.test.ts; do
    patience=7200 ROOKERY_TEST_SCALE=full run_files "$file"
  done
  ROOKERY_TEST_SCALE=full run_files test/fault/moves-model.test.ts
  ROOKERY_TEST_SCALE=full run_files test/fault/tree-events.test.ts
  ROOKERY_TEST_SCALE=full run_files test/fault/scaling-local.test.ts
  ROOKERY_TEST_SESSIONS=1000000 run_files test/property/lmtp-session.test.ts
  ROOKERY_TEST_SCALE=full run_files test/fault/lmtp-idle.test.ts
  ROOKERY_TEST_SCALE=full run_files test/fault/lmtp-chaos.test.ts
  node test/bench/directory.ts
  # A quarter of an hour; figures to be told want --rounds 5.
  left=(--dovecot "$PWD/var/packages/dovecot-core+dovecot-lmtpd/files")
  [ "${ROOKERY_PEERS:-}" != none ] && [ -d "${left[1]}" ] || left=(--without "dovecot,cyrus")
  node test/bench/lmtp.ts --rounds 3 "${left[@]}"
  node test/bench/cyrus-frontend.ts
  node test/bench/moves.ts
  node test/bench/move-plan.ts
else
  say "needs the real peers, from Debian's packages: ${peers[*]} ${unpacked[*]}"
  bring_peers
  checked=0
  npm run --silent check || checked=$?
  [ $checked = 0 ] || say 'npm run check found something (above); the tests are run all the same'
  run_tests "${all[@]}"
  exit $checked
fi
