# What docs/testing.md says, as it is written there: with the simulator in the cluster, and with one that is not beside the operator
. tests/e2e/lib.sh
block() { tests/e2e/block.sh docs/testing.md "$@"; }
example=$WORK/example
mkdir -p "$example/manifests"
block yaml 1 >"$example/manifests/nightly-report.yaml"
block json 1 >"$example/deployments.json"
block json 2 >"$example/expected.json"
block sh 1 >"$example/test.sh"
agents() { kubectl delete namespace agents --ignore-not-found --timeout=60s >/dev/null; }
trap 'agents; anew; set_up' EXIT

step "the simulator in the cluster"
agents
anew
for _ in first second; do bash -euc "$(block sh 2)" >/dev/null; done
kubectl wait crd/qoderdeployments.cloud.qoder.com --for=condition=Established --timeout=30s >/dev/null
(cd "$example" && bash -eu test.sh)

step "the same test fails where another call was expected"
kubectl delete namespace agents --timeout=60s >/dev/null
sed 's/pause"/unpause"/' "$example/expected.json" >"$example/other.json"
mv "$example/other.json" "$example/expected.json"
! (cd "$example" && bash -eu test.sh) >"$WORK/differs" 2>&1 || fail "the test of docs/testing.md cannot fail"
grep --quiet 'not those that were expected' "$WORK/differs" || fail "$(cat "$WORK/differs")"
block json 2 >"$example/expected.json"

step "a simulator elsewhere, known by its address, as a service container is"
agents
anew
k run simulator --image=localhost/qoder-simulator:dev --image-pull-policy=IfNotPresent --port=8080 -- '--listen=[::]:8080' >/dev/null
k wait pod/simulator --for=condition=Ready --timeout=60s >/dev/null
SIMULATOR=$(k get pod simulator --output 'jsonpath={.status.podIP}')
export SIMULATOR
for _ in first second; do bash -euc "$(block sh 3)" >/dev/null; done
(cd "$example" && SIM=$CLUSTER/api/v1/namespaces/$ns/pods/simulator:8080/proxy/_sim bash -eu test.sh)
