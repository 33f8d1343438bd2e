# With the NetworkPolicy of the chart everything works; not shown: that the network enforces it, which some ignore
. tests/e2e/lib.sh
operator --set networkPolicy.enabled=true --set 'networkPolicy.qoderPorts={8080}'
[ "$(op get networkpolicy qoder-operator --output 'jsonpath={.spec.policyTypes[*]}')" = "Ingress Egress" ] || fail "there is no policy for both ways"
deployments a
resource a paused=true
ready a
expect_writes 'pause a 200'
