# The chart is upgraded, with another value and a newer CRD, and rolled back
. tests/e2e/lib.sh
operator
deployments a
resource a paused=true
ready a
before=$(versions)
crd=qoderdeployments.cloud.qoder.com
# As an older version had it: without a column.
kubectl patch crd $crd --type json --patch '[{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"}]' >/dev/null
columns() { kubectl get crd $crd --output 'jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}'; }
older=$(columns)
operator --set logLevel=debug
[ "$(columns)" != "$older" ] || fail "the upgrade left the CRD as it was"
[ "$(versions)" = "$before" ] || fail "a resource was written to that nobody changed"
resource a paused=false
ready a
helm rollback qoder-operator --namespace qoder-operator --wait --timeout 120s >/dev/null
rm "$WORK/values"
[ -z "$(op get deployment qoder-operator --output 'jsonpath={.spec.template.spec.containers[0].env[?(@.name=="RUST_LOG")].value}')" ] ||
  fail "the rollback left the value"
resource a paused=true
ready a
expect_writes 'pause a 200' 'unpause a 200' 'pause a 200'
