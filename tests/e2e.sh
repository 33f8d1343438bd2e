#!/usr/bin/env bash
# The shipped manifests on a real cluster: the operator as two Pods, the simulator as another.
#
#   KUBECONFIG_TEST=FILE LOAD_IMAGE='kind load image-archive --name qoder' tests/e2e.sh OPERATOR.tar SIMULATOR.tar
#
# The tars hold localhost/qoder-operator:dev and localhost/qoder-simulator:dev (`make images`, then
# `docker save`). LOAD_IMAGE is called with each of them. Needs kubectl. What it made is deleted at
# the end; KEEP=1 leaves it.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ $# -ne 2 ] || [ -z "${KUBECONFIG_TEST:-}" ] || [ -z "${LOAD_IMAGE:-}" ]; then
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
export KUBECONFIG=$KUBECONFIG_TEST
operator=(--namespace qoder-operator)

step() { printf '\n== %s\n' "$*"; }
ready() { kubectl wait "qdep/$1" --for=condition=Ready --timeout=60s; }
remote() { kubectl wait "qdep/$1" --for="jsonpath={.status.status}=$2" --timeout=60s; }
versions() { kubectl get qdep --output 'jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion}{"\n"}{end}'; }
# `pause 200` for each write that the simulator has seen.
writes() {
  kubectl "${operator[@]}" get --raw /api/v1/namespaces/qoder-operator/services/qoder-simulator:http/proxy/_sim/journal |
    tr '{' '\n' | sed -n 's/.*"operation":"\(pause\|unpause\)".*"status":\([0-9]*\).*/\1 \2/p'
}
expect_writes() {
  local seen
  seen=$(writes)
  [ "$seen" = "$1" ] || { printf 'the simulator has seen:\n%s\nand not:\n%s\n' "$seen" "$1" >&2; exit 1; }
}
finish() {
  local status=$?
  if [ $status -ne 0 ]; then
    kubectl get qdep --output wide || true
    kubectl "${operator[@]}" get pods --output wide || true
    kubectl "${operator[@]}" logs --selector app.kubernetes.io/component=operator --prefix --tail 40 || true
  fi
  if [ -z "${KEEP:-}" ]; then
    kubectl delete --ignore-not-found --wait=false --filename deploy/simulator/samples.yaml || true
    kubectl delete --ignore-not-found --wait=false qdep --selector e2e=many || true
    kubectl delete --ignore-not-found --kustomize deploy/simulator --timeout=120s || true
  fi
  exit $status
}
trap finish EXIT

step "Load the images, apply the manifests"
for image in "$@"; do
  # A command with its arguments, on purpose.
  # shellcheck disable=SC2086
  $LOAD_IMAGE "$image"
done
kubectl apply --kustomize deploy/simulator
kubectl "${operator[@]}" rollout status deployment/qoder-simulator deployment/qoder-operator --timeout=120s
kubectl wait crd/qoderdeployments.cloud.qoder.com --for=condition=Established --timeout=30s

step "check in the Pod takes the settings of the Pod"
kubectl "${operator[@]}" exec deployment/qoder-operator -- /qoder-operator check

step "Three resources: one shall be paused, one runs, one was paused by the platform"
kubectl apply --filename deploy/simulator/samples.yaml
ready nightly-report
ready inbox-triage
kubectl wait qdep/release-notes --for=condition=Stalled --timeout=60s
kubectl get qdep
expect_writes "pause 200"

step "An unpause by the spec, and a resume that is asked for"
kubectl patch qdep nightly-report --type merge --patch '{"spec": {"paused": false}}'
remote nightly-report active
ready nightly-report
kubectl annotate qdep release-notes cloud.qoder.com/resume-requested-at=e2e
ready release-notes
expect_writes $'pause 200\nunpause 200\nunpause 200'

step "A rollout of the operator changes nothing"
before=$(versions)
kubectl "${operator[@]}" rollout restart deployment/qoder-operator
kubectl "${operator[@]}" rollout status deployment/qoder-operator --timeout=120s
kubectl patch qdep nightly-report --type merge --patch '{"spec": {"paused": true}}'
remote nightly-report paused
ready nightly-report
expect_writes $'pause 200\nunpause 200\nunpause 200\npause 200'
[ "$(versions | grep -v nightly-report)" = "$(grep -v nightly-report <<<"$before")" ] ||
  { echo "a resource was written to that nobody changed" >&2; exit 1; }

step "Deletion leaves the remote as it is"
kubectl delete qdep nightly-report --timeout=30s
expect_writes $'pause 200\nunpause 200\nunpause 200\npause 200'

step "What docs/kind.md says to try, twice"
kubectl apply --filename deploy/simulator/samples.yaml
try=$(awk '/^```/ { in_block = /^```sh$/; n += in_block; next } in_block && n == 2' docs/kind.md)
for _ in first second; do bash -euc "$try" >/dev/null; done
[ "$(kubectl get qdep --output 'jsonpath={.items[*].status.conditions[0].reason}')" = "DriftTolerated InSync InSync" ] ||
  { echo "not what docs/kind.md says" >&2; exit 1; }

step "Two hundred resources: a rollout, and a drain of the leader's node, each amid a flip of all"
many=200
simulator=/api/v1/namespaces/qoder-operator/services/qoder-simulator:http/proxy
leader() { kubectl "${operator[@]}" get lease qoder-operator --output 'jsonpath={.spec.holderIdentity}' | cut -d_ -f1; }
kubectl delete --ignore-not-found --filename deploy/simulator/samples.yaml
kubectl "${operator[@]}" patch deployment qoder-simulator --type json --patch \
  '[{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": ["--listen=0.0.0.0:8080", "--deployments='$many'"]}]'
kubectl "${operator[@]}" rollout status deployment/qoder-simulator --timeout=120s
# All of them, with this value of paused.
flip() {
  kubectl get --raw "$simulator/_sim/deployments" | tr ',[' '\n\n' | sed -n 's/.*"\(dep_[A-Za-z0-9]*\)".*/\1/p' |
    awk -v paused="$1" '{ printf "---\napiVersion: cloud.qoder.com/v1alpha1\nkind: QoderDeployment\n" \
      "metadata: {name: many-%d, labels: {e2e: many}}\nspec: {deploymentID: %s, paused: %s}\n", NR, $1, paused }' |
    kubectl apply --server-side --filename - >/dev/null
}
all_ready() { kubectl wait qdep --selector e2e=many --for=condition=Ready --timeout=180s >/dev/null; }
flip false
all_ready
expect_writes ""
flip true &
flipping=$!
kubectl "${operator[@]}" rollout restart deployment/qoder-operator
kubectl "${operator[@]}" rollout status deployment/qoder-operator --timeout=180s
wait $flipping
all_ready
printf 'a rollout amid a flip of %d: %d writes\n' "$many" "$(writes | wc -l)"
[ "$(writes | sort | uniq -c | tr -s ' ')" = " $many pause 200" ] || { writes | sort | uniq -c >&2; exit 1; }
flip false &
flipping=$!
pod=$(leader)
node=$(kubectl "${operator[@]}" get pod "$pod" --output 'jsonpath={.spec.nodeName}')
kubectl drain "$node" --pod-selector app.kubernetes.io/component=operator --ignore-daemonsets --timeout=180s &
draining=$!
# It may be the only node: the replacement of the first Pod waits for one.
for _ in $(seq 60); do
  [ -z "$(kubectl "${operator[@]}" get pods --selector app.kubernetes.io/component=operator \
    --field-selector status.phase=Pending --output name)" ] || break
  sleep 1
done
kubectl uncordon "$node"
wait $draining
wait $flipping
all_ready
printf 'a drain of %s amid a flip of %d: %d writes\n' "$node" "$many" "$(writes | grep -c unpause)"
[ "$(writes | sort | uniq -c | tr -s ' ')" = " $many pause 200
 $many unpause 200" ] || { writes | sort | uniq -c >&2; exit 1; }
[ "$(leader)" != "$pod" ] || { echo "the leader was drained, and leads" >&2; exit 1; }

printf '\nEverything happened as it should.\n'
