# A drain of the leader's node amid a flip of two hundred: the budget holds, nothing is lost and nothing doubled
. tests/e2e/lib.sh
operator
fleet
pod=$(leader)
node=$(op get pod "$pod" --output 'jsonpath={.spec.nodeName}')
trap 'kubectl uncordon "$node" >/dev/null' EXIT
flip true &
flipping=$!
kubectl drain "$node" --pod-selector app.kubernetes.io/component=operator --ignore-daemonsets --timeout=180s >/dev/null 2>&1 &
draining=$!
# It may be the only node: the replacement of the first Pod waits for one, and the second Pod for the replacement.
replacement_waits() { [ -n "$(op get pods --selector app.kubernetes.io/component=operator --field-selector status.phase=Pending --output name)" ]; }
eventually replacement_waits
[ "$(op get pdb qoder-operator --output 'jsonpath={.status.disruptionsAllowed}')" = 0 ] || fail "the budget lets a second Pod go"
kubectl uncordon "$node" >/dev/null
wait $draining
wait $flipping
all_ready
expect_each pause
[ "$(leader)" != "$pod" ] || fail "the leader was drained, and leads"
