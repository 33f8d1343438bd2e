#!/usr/bin/env bash
# What the changelog tells of a version.
set -euo pipefail
cd "$(dirname "$0")/../.."

notes=$(awk -v head="## [$1]" 'index($0, head) == 1 { on = 1; next } /^## / { on = 0 } on' CHANGELOG.md)
[ -n "$notes" ] || { echo "CHANGELOG.md has no part for $1" >&2; exit 1; }
printf '%s\n' "$notes"
