#!/usr/bin/env bash
# block.sh FILE LANGUAGE N: the Nth block of code in this language.
set -euo pipefail
awk -v fence="\`\`\`$2" -v wanted="$3" '
  /^```/ { inside = $0 == fence; n += inside; next }
  inside && n == wanted { print; found = 1 }
  END { exit !found }' "$1"
