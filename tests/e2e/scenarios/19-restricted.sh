# Pod Security: the namespace enforces restricted, and everything above has run in it
. tests/e2e/lib.sh
operator
[ "$(kubectl get namespace qoder-operator --output 'jsonpath={.metadata.labels.pod-security\.kubernetes\.io/enforce}')" = restricted ] ||
  fail "the namespace does not enforce it"
# A Pod that asks for nothing is refused: the label is not a mere word here.
refusal=$(op run plain --image=localhost/qoder-simulator:dev --dry-run=server 2>&1) && fail "a plain Pod is admitted"
grep --quiet 'violates PodSecurity "restricted' <<<"$refusal" || fail "$refusal"
[ "$(op get deployment qoder-operator --output 'jsonpath={.status.readyReplicas}')" = 2 ] || fail "two Pods should be ready"
