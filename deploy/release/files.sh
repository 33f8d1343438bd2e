#!/usr/bin/env bash
# The files of a release, into a folder: the chart, install.yaml and the CRD, with the image by its digest.
#   deploy/release/files.sh 1.2.3 registry.example/team sha256:... dist
set -euo pipefail
cd "$(dirname "$0")/../.."

version=$1 registry=$2 digest=$3 dist=$4
mkdir -p "$dist"
chart=$(mktemp -d)
trap 'rm -r "$chart"' EXIT
cp -r deploy/chart "$chart/qoder-operator"
sed -i -e "s#^  registry: .*#  registry: $registry#" -e "s#^  digest: .*#  digest: $digest#" "$chart/qoder-operator/values.yaml"
helm package "$chart/qoder-operator" --version "$version" --app-version "$version" --destination "$dist"
sed "s#registry.example/qoder-operator:[^\" ]*#$registry/qoder-operator:$version@$digest#" deploy/install.yaml > "$dist/install.yaml"
cp crds/qoderdeployments.yaml "$dist/qoderdeployments.yaml"
