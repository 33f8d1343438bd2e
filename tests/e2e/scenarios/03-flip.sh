# The spec says paused, then active again; deletion leaves the remote as it is
. tests/e2e/lib.sh
operator
deployments a
resource a paused=true
ready a
for value in false true false; do
  started=$EPOCHREALTIME
  resource a paused=$value
  ready a
done
note "a flip: Ready $(since "$started") s after kubectl apply began"
remote a active
expect_writes 'pause a 200' 'unpause a 200' 'pause a 200' 'unpause a 200'
resource a paused=true
remote a paused
ready a
k delete qdep a --timeout=30s >/dev/null
sim GET deployments/dep_a | grep --quiet '"status":"paused"' || fail "the deletion resumed it"
SETTLE_MS=6000 expect_writes 'pause a 200' 'unpause a 200' 'pause a 200' 'unpause a 200' 'pause a 200'
