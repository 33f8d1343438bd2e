# The leader's Pod is killed during two POSTs, one that had its effect and one that never has: neither is lost or doubled
. tests/e2e/lib.sh
operator
deployments had never
resource had paused=false
resource never paused=false
ready had never
sim POST faults '{"operation": "pause", "id": "dep_had", "action": "hang_after"}' >/dev/null
sim POST faults '{"operation": "pause", "id": "dep_never", "action": "hang_before"}' >/dev/null
resource had paused=true
resource never paused=true
# It is killed before it gives up on them.
sim GET 'journal?operation=pause&count=2' >/dev/null
started=$EPOCHREALTIME
op delete pod "$(leader)" --grace-period=0 --force >/dev/null 2>&1
ready had never
note "the leader's Pod killed during a POST: in sync after $(since "$started") s: its Lease has to run out, and a late request to be over"
remote never paused
settled
verify any 'pause had done' 'pause never undone' 'pause never 200'
rolled_out
