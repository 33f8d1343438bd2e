# Somebody changes the remote: Correct changes it back, Warn says so and leaves it
. tests/e2e/lib.sh
operator
deployments correct warn
resource correct paused=true
ready correct
resource warn paused=false driftPolicy=Warn
ready warn
started=$EPOCHREALTIME
sim POST deployments/dep_correct/unpause >/dev/null
remote correct paused
note "drift: corrected $(since "$started") s after it, polling each second"
sim POST deployments/dep_warn/pause >/dev/null
reason warn DriftTolerated
ready correct
expect_writes 'pause correct 200' 'pause correct 200'

step "until it is asked to apply the spec again"
k annotate qdep warn cloud.qoder.com/reconcile-requested-at=e2e >/dev/null
remote warn active
reason warn InSync
expect_writes 'pause correct 200' 'pause correct 200' 'unpause warn 200'
