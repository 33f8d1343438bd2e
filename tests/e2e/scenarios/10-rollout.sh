# A rolling update amid a flip of two hundred: no write is lost, and none comes twice
. tests/e2e/lib.sh
operator
fleet
expect_each
flip true &
op rollout restart deployment/qoder-operator >/dev/null
rolled_out
wait $!
all_ready
expect_each pause
