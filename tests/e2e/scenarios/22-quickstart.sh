# docs/quickstart.md, block by block, as it is written there
. tests/e2e/lib.sh
trap 'kill "${forward:-}" 2>/dev/null || true; anew; set_up' EXIT
anew

step "a simulator elsewhere, in the place of somebody's own account"
k run account --image=localhost/qoder-simulator:dev --image-pull-policy=IfNotPresent --port=8080 -- '--listen=[::]:8080' >/dev/null
k wait pod/account --for=condition=Ready --timeout=60s >/dev/null
ACCOUNT_IN_PODS=http://$(k get pod account --output 'jsonpath={.status.podIP}'):8080
exec {from_forward}< <(exec kubectl --namespace "$ns" port-forward pod/account :8080)
forward=$!
read -r -u "$from_forward" _ _ address _
ACCOUNT_HERE=http://$address
curl --silent --fail-with-body --noproxy '*' "$ACCOUNT_HERE/_sim/deployments" \
  --data '{"id": "dep_019ec55a2b687b3f94eee77dd77e4b2a", "name": "nightly-report"}' >/dev/null

# The page says nothing of a namespace. A home of its own, since the token lies in it, as somebody has left it in an editor.
kubectl config view --raw >"$WORK/quickstart"
export KUBECONFIG=$WORK/quickstart
kubectl config set-context --current --namespace "$ns" >/dev/null
mkdir "$WORK/home"
echo pt-simulator >"$WORK/home/qoder-token"

# The operator of the chart, but at the simulator.
helm() {
  local here=()
  [ "$1" != upgrade ] || here=(--set "config.allowInsecureHttp=true,config.baseUrl=$ACCOUNT_IN_PODS/api/v1/cloud")
  command helm "$@" "${here[@]}"
}
export -f helm
export ACCOUNT_IN_PODS ACCOUNT_HERE
HOME=$WORK/home BASH_ENV=tests/e2e/stand-ins.sh tests/e2e/page.sh docs/quickstart.md
