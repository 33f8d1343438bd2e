# Installed for one namespace: it acts there, and has no right anywhere else
. tests/e2e/lib.sh
deployments inside outside
operator --set "namespaces={$ns}"
kubectl create namespace e2e-elsewhere --dry-run=client --output yaml | kubectl label --local --filename - e2e=qoder --output yaml |
  kubectl apply --filename - >/dev/null
trap 'kubectl delete namespace e2e-elsewhere --timeout=60s >/dev/null' EXIT
ns=e2e-elsewhere resource outside paused=true
resource inside paused=true
ready inside
expect_writes 'pause inside 200'
[ -z "$(kubectl --namespace e2e-elsewhere get qdep outside --output 'jsonpath={.status.conditions}')" ] || fail "it answered for another namespace"
may() { kubectl auth can-i "$@" qoderdeployments.cloud.qoder.com --as system:serviceaccount:qoder-operator:qoder-operator 2>/dev/null || true; }
[ "$(may list --namespace "$ns")" = yes ] || fail "it may not list its own namespace"
[ "$(may list --namespace e2e-elsewhere)" = no ] || fail "it may list another namespace"
