# Uninstall leaves the resources, their CRD and the remote alone; the next install goes on with them
. tests/e2e/lib.sh
operator
deployments a
resource a paused=true
ready a
helm uninstall qoder-operator --namespace qoder-operator --wait --timeout 120s >/dev/null
rm -f "$WORK/values"
op wait pod --selector app.kubernetes.io/component=operator --for=delete --timeout=90s >/dev/null
[ "$(k get qdep a --output 'jsonpath={.spec.paused}')" = true ] || fail "the resource is not as it was"
sim GET deployments/dep_a | grep --quiet '"status":"paused"' || fail "the remote is not as it was"
[ -z "$(op get deployment,clusterrole,clusterrolebinding,service,poddisruptionbudget,serviceaccount \
  --selector app.kubernetes.io/instance=qoder-operator --output name)" ] || fail "something else is left"
operator
resource a paused=false
ready a
expect_writes 'pause a 200' 'unpause a 200'
