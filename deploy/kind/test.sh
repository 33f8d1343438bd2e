#!/usr/bin/env bash
# The end-to-end run on a kind cluster of its own, which it makes and deletes. Needs kind, kubectl, helm, curl, openssl, and docker or podman.
#
#   KIND_NODE_IMAGE   the node's image; without it, kind's own choice
#   CONTAINER_TOOL    podman, in place of docker
set -euo pipefail
cd "$(dirname "$0")/../.."

name=qoder-e2e
export KUBECONFIG=$PWD/target/kind.kubeconfig
[ "${CONTAINER_TOOL:-docker}" = docker ] || export KIND_EXPERIMENTAL_PROVIDER=$CONTAINER_TOOL

mkdir -p target
trap 'kind delete cluster --name "$name"' EXIT
kind create cluster --name "$name" --wait 120s ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"}
KUBECONFIG_TEST=$KUBECONFIG LOAD_IMAGE="kind load image-archive --name $name" make e2e
