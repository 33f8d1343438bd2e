# The leader's Pod is deleted: the other replica leads at once, and nothing is written
. tests/e2e/lib.sh
operator
deployments a b
resource a paused=true
resource b paused=false
ready a b
before=$(versions)
pod=$(leader)
started=$EPOCHREALTIME
op delete pod "$pod" --wait=false >/dev/null
led_by_another() { [ -n "$(leader)" ] && [ "$(leader)" != "$pod" ]; }
eventually led_by_another
note "a hand-over: another Pod has the Lease $(since "$started") s after the leader's was deleted"
expect_writes 'pause a 200'
[ "$(versions)" = "$before" ] || fail "a resource was written to that nobody changed"
resource b paused=true
ready b
expect_writes 'pause a 200' 'pause b 200'
rolled_out
