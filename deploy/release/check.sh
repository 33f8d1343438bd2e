#!/usr/bin/env bash
# Whether a tag can become a release: it is the version of the packages and of the chart, and the changelog tells of it.
set -euo pipefail
cd "$(dirname "$0")/../.."

version=${1#v}
same() { [ "$2" = "$version" ] || { echo "$1 has the version $2, and the tag says $version" >&2; exit 1; }; }
field() { sed -n "s/^$2[ =:]*\"\{0,1\}\([^\"]*\)\"\{0,1\}\$/\1/p" "$1" | head -n 1; }

same Cargo.toml "$(field Cargo.toml version)"
same deploy/chart/Chart.yaml "$(field deploy/chart/Chart.yaml version)"
same "the appVersion of deploy/chart/Chart.yaml" "$(field deploy/chart/Chart.yaml appVersion)"
deploy/release/notes.sh "$version" > /dev/null
