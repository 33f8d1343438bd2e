#!/usr/bin/env bash
# All tests. What computes for minutes runs beside what mostly waits, and gives way to it.
#   tests/all.sh [more arguments of cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."

all=(cargo test --workspace --locked --no-fail-fast "$@")
# By the beginnings of their names: one that has another name by now runs with the others.
computing=(nothing_is_broken_in_a_month every_small_world each_planted_bug)

"${all[@]}" --no-run
log=$(mktemp)
set -m # with a group of its own, so that nothing of it outlives this
nice "${all[@]}" --test seeds --test exhausted -- "${computing[@]}" > "$log" 2>&1 &
computes=$!
set +m
trap 'kill -- -$computes 2> /dev/null || true; rm -f "$log"' EXIT

status=0
# Stories mostly wait, so more run at once than there are cores.
RUST_TEST_THREADS=${RUST_TEST_THREADS:-8} "${all[@]}" -- "${computing[@]/#/--skip=}" || status=$?
wait "$computes" || status=$?
cat "$log"
exit "$status"
