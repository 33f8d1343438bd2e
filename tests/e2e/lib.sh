# shellcheck shell=bash
# What the scenarios are written with. Each runs in a bash of its own, in a namespace of its own, with a simulator that
# was reset. run.sh sets CLUSTER (a proxy to the API server), WORK (a folder) and SCENARIO.

ns=e2e-${SCENARIO:-}
simulator=qoder-simulator:http

step() { printf '   %s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }
# A line of the report.
note() { printf -- '- %s\n' "$*" | tee -a "$WORK/notes" | sed 's/^-/  /'; }
since() { awk -v from="$1" -v to="$EPOCHREALTIME" 'BEGIN { printf "%.1f", to - from }'; }

# Asks again until it is so, for what neither kubectl nor the simulator can wait for.
eventually() {
  local end=$((SECONDS + 90))
  until "$@"; do
    [ $SECONDS -lt $end ] || fail "not so after 90 s: $*"
    sleep 0.2
  done
}

k() { kubectl --namespace "$ns" "$@"; }
op() { kubectl --namespace qoder-operator "$@"; }

# Of the simulator's control API, by the API server: METHOD PATH [BODY]. What a refusal says is printed.
sim() {
  curl --silent --show-error --fail-with-body --noproxy '*' --max-time 120 --request "$1" ${3:+--data "$3"} \
    "$CLUSTER/api/v1/namespaces/qoder-operator/services/$simulator/proxy/_sim/$2"
}

begin() {
  kubectl create namespace "$ns" --dry-run=client --output yaml | kubectl label --local --filename - e2e=qoder --output yaml |
    kubectl apply --filename - >/dev/null
  sim POST reset >/dev/null
}

# The manifests as docs/kind.md has them: the simulator, the token, the namespace, and an operator that the
# scenarios make a release of.
set_up() {
  rm -f "$WORK/values"
  kubectl apply --kustomize deploy/simulator >/dev/null
  kubectl wait crd/qoderdeployments.cloud.qoder.com --for=condition=Established --timeout=30s >/dev/null
  op rollout status deployment/qoder-simulator deployment/qoder-operator --timeout=120s >/dev/null
}
# A new cluster, as far as the operator is concerned.
anew() {
  helm uninstall qoder-operator --namespace qoder-operator --ignore-not-found --wait >/dev/null 2>&1
  kubectl delete --ignore-not-found --kustomize deploy/simulator --timeout=120s >/dev/null
  rm -f "$WORK/values"
}

# The release, with these flags of Helm beside those of every scenario. Nothing is done where it has them already.
operator() {
  [ "$*" != "$(cat "$WORK/values" 2>/dev/null || echo none)" ] || return 0
  rm -f "$WORK/values"
  local ownership=(--take-ownership)
  [[ $(helm version --template '{{.Version}}') = v3.* ]] || ownership+=(--force-conflicts)
  helm upgrade --install qoder-operator deploy/chart --namespace qoder-operator "${ownership[@]}" --wait --timeout 150s \
    --values deploy/chart/ci/simulator-values.yaml --set config.pollInterval=1s,config.requestTimeout=3s "$@" >/dev/null
  rolled_out
  printf '%s' "$*" >"$WORK/values"
}
# Two Pods, and none that is still about to end.
rolled_out() {
  op rollout status deployment/qoder-operator --timeout=180s >/dev/null
  eventually two_pods
}
two_pods() { [ "$(pods | wc -w)" = 2 ]; }
leader() { op get lease qoder-operator --output 'jsonpath={.spec.holderIdentity}' | cut -d_ -f1; }
pods() { op get pods --selector app.kubernetes.io/component=operator --output 'jsonpath={.items[*].metadata.name}'; }
restarts() { op get pods --selector app.kubernetes.io/component=operator --output 'jsonpath={.items[*].status.containerStatuses[*].restartCount}'; }

# deployments a b: at the simulator, active, with the ids dep_a and dep_b.
deployments() {
  local body
  body=$(printf '{"id":"dep_%s"},' "$@")
  sim POST deployments "[${body%,}]" >/dev/null
}
# resource a paused=true driftPolicy=Warn: applies the resource of dep_a.
resource() {
  local name=$1 spec="deploymentID: dep_$1" field
  shift
  for field in "$@"; do spec+=", ${field/=/: }"; done
  printf 'apiVersion: cloud.qoder.com/v1alpha1\nkind: QoderDeployment\nmetadata: {name: %s}\nspec: {%s}\n' "$name" "$spec" |
    k apply --server-side --force-conflicts --filename - >/dev/null
}
ready() { k wait qdep "$@" --for=condition=Ready --timeout=90s >/dev/null; }
# reason a InSync: of the condition Ready.
reason() { k wait "qdep/$1" --for="jsonpath={.status.conditions[?(@.type==\"Ready\")].reason}=$2" --timeout=90s >/dev/null; }
# remote a paused: waits for the deployment itself.
remote() {
  sim GET "deployments/dep_$1?until=$2&timeout_ms=60000" | grep --quiet "\"status\":\"$2\"" || fail "dep_$1 is not $2 after a minute"
}
# What nobody has written to stays the same.
versions() { kubectl get qdep --all-namespaces --output 'jsonpath={range .items[*]}{.metadata.name}={.metadata.resourceVersion}{"\n"}{end}'; }

# Until the operator has read three times more: what it does twice it has done by then.
settled() {
  local last
  last=$(sim GET journal | tr '{' '\n' | sed -n 's/.*"seq":\([0-9]*\),.*/\1/p' | tail -n 1)
  sim GET "journal?since=${last:-0}&count=3&timeout_ms=${SETTLE_MS:-20000}" >/dev/null
}
# expect_writes 'pause a 200' 'unpause a done': all writes that the simulator has seen, in this order. The last word is
# the status of the answer, or whether there was an effect although nobody got one: done, undone.
expect_writes() { settled; verify as_given "$@"; }
verify() {
  local order=$1 calls="" call operation name outcome
  shift
  for call in "$@"; do
    read -r operation name outcome <<<"$call"
    case $outcome in
      done) outcome='"effect":true' ;;
      undone) outcome='"effect":false' ;;
      *) outcome="\"status\":$outcome" ;;
    esac
    calls+=",{\"operation\":\"$operation\",\"id\":\"dep_$name\",$outcome}"
  done
  local only='["pause","unpause","create","update","archive","run"]'
  sim POST verify "{\"order\":\"$order\",\"calls\":[${calls#,}],\"only\":$only}" >"$WORK/verified" || fail "$(sed 's/\\n/\n/g' "$WORK/verified")"
}

# A fleet: two hundred deployments, m1 to m200, each with a resource.
many=200
fleet() { mapfile -t members < <(seq -f 'm%g' "$many"); deployments "${members[@]}"; flip false; all_ready; }
flip() {
  local member
  for member in "${members[@]}"; do
    printf -- '---\napiVersion: cloud.qoder.com/v1alpha1\nkind: QoderDeployment\nmetadata: {name: %s}\nspec: {deploymentID: dep_%s, paused: %s}\n' \
      "$member" "$member" "$1"
  done | k apply --server-side --filename - >/dev/null
}
# By one list: kubectl wait asks for each of them, five in a second.
all_ready() { eventually none_waits; }
none_waits() {
  k get qdep --output 'jsonpath={range .items[*]}{.metadata.generation} {.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' |
    awk -v all="$many" '$1 == $2 && $3 == "True" { ready++ } END { exit ready != all }'
}
# expect_each pause unpause: one of each for each of the fleet, and no other.
expect_each() {
  local verb member expected=()
  for verb in "$@"; do
    for member in "${members[@]}"; do expected+=("$verb $member 200"); done
  done
  settled
  verify any ${expected[@]+"${expected[@]}"}
}

[ -z "${SCENARIO:-}" ] || begin
