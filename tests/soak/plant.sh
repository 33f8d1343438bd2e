#!/usr/bin/env bash
# Plants one bug of planted/ after the other in a copy of the source, plays the seeds of `make test` until something is broken, and
# prints the rows of docs/reliability.md. With names it plants only those.
set -euo pipefail
cd "$(dirname "$0")/../.."

tree=target/planted/tree
mkdir -p "$tree"
git ls-files -z | xargs -0 cp --parents --preserve=timestamps --target-directory="$tree"
export CARGO_TARGET_DIR=$PWD/target/planted/build

names=("$@")
if [ $# = 0 ]; then
  for file in tests/soak/planted/*.patch; do names+=("$(basename "$file" .patch)"); done
fi
for name in "${names[@]}"; do
  bug=$PWD/tests/soak/planted/$name.patch
  patch --quiet --strip=1 --directory="$tree" < "$bug"
  (cd "$tree" && cargo build --quiet --locked --package soak)
  # It fails where something is broken.
  found=$("$CARGO_TARGET_DIR/debug/soak" --brief --days "${DAYS:-34}" | tail -n 1 || true)
  patch --quiet --strip=1 --directory="$tree" --reverse < "$bug"
  case $found in
    seed*) found=${found#seed }; echo "| \`$name\` | ${found#*: } | ${found%%:*} |" ;;
    *) echo "| \`$name\` | not found | |" ;;
  esac
done
