# The API is gone, a spec changes meanwhile, and the API comes back
. tests/e2e/lib.sh
operator
# Of its seed: what is made later is lost with its Pod. By its clock it begins anew, and active.
resource nightlyreport paused=true
ready nightlyreport
op scale deployment/qoder-simulator --replicas=0 >/dev/null
op wait pod --selector app.kubernetes.io/name=qoder-simulator --for=delete --timeout=60s >/dev/null
reason nightlyreport RemoteUnavailable
resource inboxtriage paused=true
k wait qdep/inboxtriage --for='jsonpath={.status.conditions[?(@.type=="Ready")].status}'=Unknown --timeout=30s >/dev/null
started=$EPOCHREALTIME
op scale deployment/qoder-simulator --replicas=1 >/dev/null
op rollout status deployment/qoder-simulator --timeout=60s >/dev/null
ready nightlyreport inboxtriage
note "an outage: in sync $(since "$started") s after the API's Pod was asked for"
settled
verify any 'pause nightlyreport 200' 'pause inboxtriage 200'
[ "$(restarts)" = "0 0" ] || fail "the operator was restarted"
