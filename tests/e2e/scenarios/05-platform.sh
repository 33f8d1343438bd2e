# The platform pauses after a failed run: it is told, and lifted once when that is asked for
. tests/e2e/lib.sh
operator
deployments a
resource a paused=false
ready a
fail_run() { sim POST deployments/dep_a/run '{"outcome": {"failed": "agent_archived_error"}}' >/dev/null; }
fail_run
reason a PausedByPlatform
k wait qdep/a --for=condition=Stalled --timeout=10s >/dev/null
k wait qdep/a --for=jsonpath='{.status.pausedReason.error.type}'=agent_archived_error --timeout=10s >/dev/null
expect_writes
k annotate qdep a cloud.qoder.com/resume-requested-at=first >/dev/null
remote a active
ready a
step "the next failure waits for the next request"
fail_run
reason a PausedByPlatform
expect_writes 'unpause a 200'
k annotate --overwrite qdep a cloud.qoder.com/resume-requested-at=second >/dev/null
ready a
expect_writes 'unpause a 200' 'unpause a 200'
