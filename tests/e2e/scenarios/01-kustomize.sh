# The manifests of deploy/simulator, and what docs/kind.md says to try, twice; then they become a Helm release
. tests/e2e/lib.sh
ns=default
[ "$(cat "$WORK/values" 2>/dev/null || echo none)" = none ] || fail "this scenario has to be the first"
step "check in the Pod takes the settings of the Pod"
op exec deployment/qoder-operator -- /qoder-operator check

step "three resources: one shall be paused, one runs, one was paused by the platform"
trap 'kubectl delete --filename deploy/simulator/samples.yaml >/dev/null' EXIT
kubectl apply --filename deploy/simulator/samples.yaml >/dev/null
ready nightly-report inbox-triage
reason release-notes PausedByPlatform
kubectl get qdep
expect_writes 'pause nightlyreport 200'

step "what docs/kind.md says to try, twice"
try=$(tests/e2e/block.sh docs/kind.md sh 2)
for _ in first second; do bash -euc "$try" >/dev/null; done
[ "$(kubectl get qdep --output 'jsonpath={.items[*].status.conditions[0].reason}')" = "DriftTolerated InSync InSync" ] ||
  fail "not what docs/kind.md says"

step "the same objects as a release: nothing is written, here or there"
written=$(sim GET 'journal?effect=true' | grep --only-matching '"seq"' | wc -l)
before=$(versions)
operator
settled
[ "$(versions)" = "$before" ] || fail "a resource was written to that nobody changed"
[ "$(sim GET 'journal?effect=true' | grep --only-matching '"seq"' | wc -l)" = "$written" ] || fail "the takeover wrote"
