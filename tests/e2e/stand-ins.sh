# shellcheck shell=bash
# What docs/quickstart.md uses and a test has not: kind, a container tool, the live service. See page.sh.
#
# ACCOUNT_IN_PODS   scheme, host and port of the simulator in the place of the live service, as Pods reach it
# ACCOUNT_HERE   the same from here

# The images are in the cluster already, or no Pod runs. The files and targets that are named have to be there.
kind() { [[ $* != *--config* ]] || test -f "${@: -1}"; }
make() { command make --dry-run "$@" >/dev/null; }

curl() { command curl --noproxy '*' "${@/#https:\/\/api.qoder.com/$ACCOUNT_HERE}"; }

in_pod() { command kubectl "$@"; }
kubectl() {
  [[ " $* " == *' exec '* ]] || { command kubectl "$@"; return; }
  in_pod "$@" | sed "s|$ACCOUNT_IN_PODS|https://api.qoder.com|"
}
