# The CRD is deleted while it runs, and applied again: no restart, no write at Qoder for the deletion
. tests/e2e/lib.sh
operator
deployments a
resource a paused=true
ready a
before=$(pods)
kubectl delete crd qoderdeployments.cloud.qoder.com --timeout=60s >/dev/null
sim GET deployments/dep_a | grep --quiet '"status":"paused"' || fail "the deletion resumed it"
kubectl apply --server-side --force-conflicts --filename deploy/chart/files/crd.yaml >/dev/null
kubectl wait crd/qoderdeployments.cloud.qoder.com --for=condition=Established --timeout=30s >/dev/null
started=$EPOCHREALTIME
resource a paused=false
ready a
note "the CRD deleted and applied again: in sync $(since "$started") s after the next resource"
expect_writes 'pause a 200' 'unpause a 200'
[ "$(pods) $(restarts)" = "$before 0 0" ] || fail "the operator was restarted"
