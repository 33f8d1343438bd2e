# The commands that people and CI run. Needs Rust and Go; `make demo` and `make test` need nothing else.

CARGO_FLAGS ?=

.PHONY: demo test check generate images build bins

demo: bins ## Everything on this machine: a control plane, the simulator, the operator, three resources
	target/debug/testbed demo

test: bins ## All tests; stories mostly wait, so more run at once than there are cores
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} cargo test --workspace --locked --no-fail-fast $(CARGO_FLAGS)

check: ## Format, lints, generated files, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked $(CARGO_FLAGS) -- -D warnings
	cargo test --locked $(CARGO_FLAGS) --test crd --test licences --test manifests

generate: ## Writes crds/ from the types
	cargo run --quiet --locked -- crd > crds/qoderdeployments.yaml.new
	mv crds/qoderdeployments.yaml.new crds/qoderdeployments.yaml

# `cargo test` at the root does not build the binaries of the other packages.
bins:
	cargo build --workspace --bins --locked $(CARGO_FLAGS)
