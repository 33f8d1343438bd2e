#!/usr/bin/env bash
# The operator as Pods on a real cluster, installed by Helm, against the simulator as another Pod.
#
#   KUBECONFIG_TEST=FILE LOAD_IMAGE='kind load image-archive --name qoder' tests/e2e/run.sh OPERATOR.tar SIMULATOR.tar
#
# The tars hold localhost/qoder-operator:dev and localhost/qoder-simulator:dev (`make images`, then
# `docker save`). LOAD_IMAGE is called with each of them. Needs kubectl, helm, curl and openssl. Takes the namespaces
# qoder-operator and e2e-*, and deletes them at the end. README.md has the rest.
#
#   ONLY='drift token'   these scenarios
#   KEEP=1               leaves all of it in the cluster
#   REPORT=FILE          the report, in Markdown; without it: target/e2e.md
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ $# -ne 2 ] || [ -z "${KUBECONFIG_TEST:-}" ] || [ -z "${LOAD_IMAGE:-}" ]; then
  sed -n '2,12s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
for tool in kubectl helm curl openssl; do
  command -v "$tool" >/dev/null || { echo "there is no $tool on the PATH" >&2; exit 2; }
done
export KUBECONFIG=$KUBECONFIG_TEST
report=${REPORT:-target/e2e.md}
mkdir -p "$(dirname "$report")"
WORK=$(mktemp -d)
export WORK
# shellcheck source=tests/e2e/lib.sh
. tests/e2e/lib.sh

diagnose() {
  kubectl get qdep --all-namespaces --output wide || true
  op get pods,lease --output wide || true
  op logs --selector app.kubernetes.io/component=operator --prefix --tail 40 || true
}

# What the Pods of the operator need: the most memory of one, and the processor time of all. Read after each scenario,
# since most of them replace the Pods.
sample() {
  local node
  for node in $(kubectl get nodes --output 'jsonpath={.items[*].metadata.name}'); do
    kubectl get --raw "/api/v1/nodes/$node/proxy/metrics/resource" |
      awk '/container="operator",namespace="qoder-operator"/ { split($1, part, /[{"]/); print part[1], part[7], $2 }'
  done >>"$WORK/samples" || true
}

# shellcheck disable=SC2317 # The trap calls it.
clean_up() {
  [ -n "${KEEP:-}" ] && return
  kubectl delete namespace --selector e2e=qoder --ignore-not-found --wait=false
  kubectl delete --ignore-not-found --filename deploy/simulator/samples.yaml --wait=false
  helm uninstall qoder-operator --namespace qoder-operator --ignore-not-found --wait
  kubectl delete --ignore-not-found --kustomize deploy/simulator --timeout=120s
}

# shellcheck disable=SC2317
finish() {
  local status=$?
  clean_up >"$WORK/clean_up" 2>&1 || { cat "$WORK/clean_up" >&2; status=1; }
  [ -z "${proxy:-}" ] || kill "$proxy"
  rm -rf "$WORK"
  exit "$status"
}
trap finish EXIT

begun=$SECONDS
for image in "$@"; do
  # A command with its arguments, on purpose.
  # shellcheck disable=SC2086
  $LOAD_IMAGE "$image"
done
exec {from_proxy}< <(exec kubectl proxy --port=0)
proxy=$!
read -r -u "$from_proxy" line
export CLUSTER="http://${line##* }"
set_up

failed=0
rows=()
for file in tests/e2e/scenarios/*.sh; do
  name=${file##*/*-}
  name=${name%.sh}
  case " ${ONLY:-$name} " in *" $name "*) ;; *) continue ;; esac
  title=$(sed -n '1s/^# //p' "$file")
  printf '\n== %s: %s\n' "$name" "$title"
  started=$EPOCHREALTIME
  result=ok
  if ! SCENARIO=$name timeout 300 bash -euo pipefail "$file"; then
    result=FAILED
    failed=$((failed + 1))
    diagnose
  fi
  seconds=$(since "$started")
  rows+=("| $name | $result | $seconds | $title |")
  printf '   %s after %s s\n' "$result" "$seconds"
  sample
  kubectl delete namespace "e2e-$name" --ignore-not-found --timeout=60s >/dev/null
  if [ $result = FAILED ]; then set_up; fi
done
[ ${#rows[@]} -gt 0 ] || { echo "there is no scenario ${ONLY:-}" >&2; exit 2; }

{
  printf '# End to end\n\n%s, Helm %s, %s scenarios, %s failed, in %s s.\n\n' \
    "Kubernetes $(kubectl version 2>/dev/null | sed -n 's/^Server Version: //p')" "$(helm version --template '{{.Version}}')" \
    "${#rows[@]}" "$failed" "$((SECONDS - begun))"
  printf '| scenario | result | seconds | what it shows |\n| --- | --- | ---: | --- |\n'
  printf '%s\n' "${rows[@]}"
  printf '\n## Measured\n\n'
  cat "$WORK/notes" 2>/dev/null || true
  awk '$1 ~ /memory/ && $3 > most { most = $3 }
    $1 ~ /cpu/ && $3 > cpu[$2] { cpu[$2] = $3 }
    END { for (pod in cpu) { sum += cpu[pod]; pods++ }
      printf "- the operator, %d Pods, as the kubelets had them after each scenario: at most %.1f MiB of memory in one (its working set), %.1f s of processor time in all\n", pods, most / 1048576, sum }' \
    "$WORK/samples"
} >"$report"
printf '\n'
cat "$report"
exit $((failed > 0))
