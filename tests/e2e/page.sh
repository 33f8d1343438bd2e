#!/usr/bin/env bash
# page.sh PAGE: pastes each `sh` block of a page into a bash, and again. What it prints the first time has to be the
# `text` block below it, where there is one. A block gets its own end for input, as at a terminal: a command that reads it
# keeps the rest of the block from being run.
#
# Ages (5s, 2m10s) are the same, whatever they are, and so is the number of spaces between columns.
#
# BASH_ENV=FILE  functions that stand in for programs (stand-ins.sh)
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
awk -v to="$work/" '
  !/^```/ { if (inside) print >file; next }
  inside { inside = 0; close(file); next }
  { inside = 1; file = "/dev/null" }
  $0 == "```sh" { file = sprintf("%s%02d.sh", to, ++n) }
  $0 == "```text" { file = sprintf("%s%02d.text", to, n) }' "$1"
[ -e "$work/01.sh" ] || { echo "there is no block to run in $1" >&2; exit 2; }

alike() { sed -E 's/ +/ /g; s/(^| )([0-9]+[dhms])+( |$)/\1AGE\3/g'; }

for block in "$work"/*.sh; do
  expected=${block%.sh}.text
  for time in first second; do
    if ! { cat "$block"; echo 'echo to the end'; } | bash -eu >"$work/said" 2>&1 ||
      [ "$(tail -n 1 "$work/said")" != "to the end" ]; then
      printf 'this block of %s fails, or is not run to its end, the %s time:\n\n%s\n\nit says:\n\n%s\n' \
        "$1" "$time" "$(cat "$block")" "$(cat "$work/said")" >&2
      exit 1
    fi
    if [ $time = second ] || [ ! -e "$expected" ]; then continue; fi
    if ! diff <(alike <"$expected") <(sed '$d' "$work/said" | alike) >"$work/difference"; then
      printf 'this block of %s:\n\n%s\n\nsays, other than the page does (<):\n\n%s\n' \
        "$1" "$(cat "$block")" "$(cat "$work/difference")" >&2
      exit 1
    fi
  done
  printf 'run twice: %s\n' "$(head -n 1 "$block")"
done
