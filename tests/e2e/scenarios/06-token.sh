# The token is revoked, and a new one put into the Secret: no restart
. tests/e2e/lib.sh
operator
secret() {
  op create secret generic qoder-token --from-literal=token="$1" --dry-run=client --output yaml | op apply --filename - >/dev/null 2>&1
}
deployments a
resource a paused=false
ready a
before=$(pods)
started=$EPOCHREALTIME
sim PUT tokens '[{"token": "pt-rotated"}]' >/dev/null
reason a CredentialRejected
note "a revoked token: CredentialRejected after $(since "$started") s, polling each second"
resource a paused=true
reason a CredentialRejected

step "the new one is in the Secret; the kubelet brings it, which may take a minute and a half"
started=$EPOCHREALTIME
secret pt-rotated
k wait qdep/a --for=condition=Ready --timeout=150s >/dev/null
note "a new token: Ready $(since "$started") s after the Secret was changed; the kubelet brings it when it next looks, up to a minute and a half later"
remote a paused
expect_writes 'pause a 200'
[ "$(pods)" = "$before" ] || fail "the Pods are not those that were there"

step "a Pod that starts has the Secret as it is"
secret pt-simulator
sim PUT tokens '[{"token": "pt-simulator"}]' >/dev/null
op rollout restart deployment/qoder-operator >/dev/null
rolled_out
k annotate qdep a cloud.qoder.com/reconcile-requested-at=e2e >/dev/null
k wait qdep/a --for=jsonpath='{.status.lastHandledReconcileRequest}'=e2e --timeout=60s >/dev/null
expect_writes 'pause a 200'
