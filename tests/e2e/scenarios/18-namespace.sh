# The resources' namespace is deleted: the remote stays as it is, and so do the others
. tests/e2e/lib.sh
operator
deployments gone stays
resource gone paused=true
kubectl create namespace e2e-stays --dry-run=client --output yaml | kubectl label --local --filename - e2e=qoder --output yaml |
  kubectl apply --filename - >/dev/null
trap 'kubectl delete namespace e2e-stays --timeout=60s >/dev/null' EXIT
mine=$ns
ns=e2e-stays resource stays paused=true
ready gone
ns=e2e-stays ready stays
kubectl delete namespace "$mine" --timeout=60s >/dev/null
settled
verify any 'pause gone 200' 'pause stays 200'
ns=e2e-stays resource stays paused=false
ns=e2e-stays ready stays
settled
verify any 'pause gone 200' 'pause stays 200' 'unpause stays 200'
