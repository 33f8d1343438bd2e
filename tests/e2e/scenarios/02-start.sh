# First start: the resources are there before the operator, and no Lease
. tests/e2e/lib.sh
operator
op scale deployment/qoder-operator --replicas=0 >/dev/null
op wait pod --selector app.kubernetes.io/component=operator --for=delete --timeout=90s >/dev/null
op delete lease qoder-operator >/dev/null
deployments paused active observed failed
sim POST deployments/dep_failed/pause_by_error '{"type": "agent_archived_error"}' >/dev/null
resource paused paused=true
resource active paused=false
resource observed
resource failed paused=false
started=$EPOCHREALTIME
op scale deployment/qoder-operator --replicas=2 >/dev/null
ready paused active observed
note "first start: every resource answered $(since "$started") s after the Pods were asked for"
reason observed Observed
reason failed PausedByPlatform
rolled_out
expect_writes 'pause paused 200'

step "helm test: token, base URL, CRD and rights"
helm test qoder-operator --namespace qoder-operator --timeout 60s >/dev/null

step "a rollout changes nothing"
before=$(versions)
op rollout restart deployment/qoder-operator >/dev/null
rolled_out
expect_writes 'pause paused 200'
[ "$(versions)" = "$before" ] || fail "a resource was written to that nobody changed"
