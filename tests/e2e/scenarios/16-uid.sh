# A user id as OpenShift gives them: the token can be read, and nothing needs more
. tests/e2e/lib.sh
operator --set userId=1000680000
deployments a
resource a paused=true
ready a
expect_writes 'pause a 200'
op get pods --selector app.kubernetes.io/component=operator --output 'jsonpath={.items[*].spec.securityContext.runAsUser}' |
  grep --quiet '^1000680000 1000680000$' || fail "not this user"
