# The commands that people and CI run. `make demo` needs Rust and Go, and nothing else; `make test` also
# Python 3.11 with pip and Node 20, for the examples of the simulator, and Prometheus, or apt-get to fetch it with.

CARGO_FLAGS ?=

.PHONY: demo test model soak fuzz mutants compat test-page picture check book workflows tools generate bins images e2e kind-test bench bench-large bench-quick release

demo: bins ## Everything on this machine: a control plane, the simulator, the operator, three resources
	target/debug/testbed demo

test: tools ## All tests
	tests/all.sh $(CARGO_FLAGS)

# Its packages are installed beside a copy of it: the source tree stays as it is.
BROWSER = $(abspath $(or $(CARGO_TARGET_DIR),target))/browser
browser = cd $(BROWSER) && SIMULATOR=$(dir $(BROWSER))debug/qoder-simulator

test-page: browser ## The simulator's page in Chromium: needs Node, and Chromium on the PATH or in CHROMIUM
	$(browser) node --test --test-timeout=300000 --test-reporter=spec

picture: browser bins ## Takes the pictures of docs/ anew
	$(browser) node picture.mjs $(CURDIR)/docs
	target/debug/testbed demo < /dev/null > target/demo.txt
	target/debug/testbed recording target/demo.txt docs/demo.svg
	target/debug/testbed plot docs/performance.md docs/fleet.svg

.PHONY: browser
browser:
	cargo build --package qoder-simulator --locked $(CARGO_FLAGS)
	mkdir -p $(BROWSER) && rm -f $(BROWSER)/*.mjs && cp tests/simulator/browser/* $(BROWSER)
	cd $(BROWSER) && npm ci --prefer-offline --no-audit --no-fund

model: ## The core in worlds that are too large for `make test`: up to SECONDS for each of them
	cargo run --quiet --locked $(CARGO_FLAGS) --package model -- $(or $(SECONDS),300)

soak: ## The whole operator in simulated time, with random users and every fault: DAYS of it, a year if nothing is said
	cargo run --quiet --locked $(CARGO_FLAGS) --package soak -- --days $(or $(DAYS),365) --seed $(or $(SEED),1000)

compat: bins ## The stories on the oldest Kubernetes that is supported; `make test` has them on the newest
	QODER_TESTBED_KUBERNETES=oldest RUST_TEST_THREADS=$${RUST_TEST_THREADS:-8} cargo test --locked --no-fail-fast $(CARGO_FLAGS) --test stories

check: workflows book ## Format, lints, generated files, documents, licences
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked $(CARGO_FLAGS) -- -D warnings
	cargo test --locked $(CARGO_FLAGS) --test crd --test docs --test manifests --test translations
	cargo test --locked $(CARGO_FLAGS) --test gitops -- the_schema_is the_patches_of
	cargo test --locked $(CARGO_FLAGS) --package licences

BOOK = $(abspath $(or $(CARGO_TARGET_DIR),target))/book
BOOK_TOOLS = $(BOOK)-tools
# Without optimization a tool is built in half of the time, and takes a second at most.
book_tool = cargo install --quiet --locked --debug --root $(BOOK_TOOLS)

book: ## docs/ as a book, in target/book, with its links and anchors checked
	CARGO_PROFILE_DEV_DEBUG=0 $(book_tool) mdbook@0.5.4 --no-default-features --features search
	CARGO_PROFILE_DEV_DEBUG=0 $(book_tool) hyperlink@0.3.2
	$(BOOK_TOOLS)/bin/mdbook build docs --dest-dir $(BOOK)
	$(BOOK_TOOLS)/bin/hyperlink --check-anchors $(BOOK)

FUZZ_TOOLS = $(abspath $(or $(CARGO_TARGET_DIR),target))/fuzz-tools
FUZZ = $(abspath $(or $(CARGO_TARGET_DIR),target))/fuzz
# On the stable toolchain: what a sanitizer finds is unsafe code, and there is none here.
FUZZ_FLAGS = --sanitizer none --no-cfg-fuzzing --target-dir $(FUZZ)/target
# All of them, or TARGETS="page token".
TARGETS ?= $(patsubst fuzz/targets/%.rs,%,$(wildcard fuzz/targets/*.rs))

fuzz: ## Hostile input: each property of tests/hostile for SECONDS. It needs a C++ compiler. A case that is found stays in fuzz/found
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root $(FUZZ_TOOLS) cargo-fuzz@0.13.2
	PATH="$(FUZZ_TOOLS)/bin:$$PATH" cargo fuzz build $(FUZZ_FLAGS)
	for target in $(TARGETS); do \
	  mkdir -p $(FUZZ)/corpus/$$target fuzz/found/$$target && \
	  PATH="$(FUZZ_TOOLS)/bin:$$PATH" cargo fuzz run $(FUZZ_FLAGS) $$target $(FUZZ)/corpus/$$target fuzz/corpus/$$target fuzz/found/$$target -- \
	    -max_total_time=$(or $(SECONDS),60) -timeout=10 -rss_limit_mb=2048 -max_len=16384 -dict=fuzz/words.dict \
	    -artifact_prefix=fuzz/found/$$target/ -print_final_stats=1 || exit 1; \
	  rmdir fuzz/found/$$target 2>/dev/null || true; \
	done

# A change that lets a test wait for ever is found, too: exit code 3.
MUTANTS_TOOLS = $(abspath $(or $(CARGO_TARGET_DIR),target))/mutants-tools

mutants: ## Each rule of the core changed, one place at a time (.cargo/mutants.toml): no change may survive. It takes hours
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root $(MUTANTS_TOOLS) cargo-mutants@27.1.0
	PATH="$(MUTANTS_TOOLS)/bin:$$PATH" CARGO_PROFILE_DEV_DEBUG=0 \
	  cargo mutants --no-shuffle --jobs 2 --timeout 60 --output target || test $$? -eq 3

# A Python of its own, for a tool that has no other package.
ZIZMOR = $(abspath $(or $(CARGO_TARGET_DIR),target))/zizmor-1.32.0

workflows: ## What CI runs at GitHub, and what docs/testing.md would have run: is it well-formed, and safe?
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
	for n in 2 3; do \
	  tests/e2e/block.sh docs/testing.md yaml $$n | go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 - || exit 1; \
	done
	test -x $(ZIZMOR)/bin/zizmor || { python3 -m venv --clear --without-pip $(ZIZMOR) && \
	  python3 -m pip --python $(ZIZMOR)/bin/python install --quiet --disable-pip-version-check zizmor==1.32.0; }
	$(ZIZMOR)/bin/zizmor --offline --quiet .github

generate: bins ## Writes crds/ from the types; then what is made of it and of each other: the schema, Argo CD's patches, the chart's files, install.yaml
	cargo run --quiet --locked -- crd > crds/qoderdeployments.yaml.new
	mv crds/qoderdeployments.yaml.new crds/qoderdeployments.yaml
	UPDATE_DOCS=1 cargo test --quiet --locked $(CARGO_FLAGS) --test chart -- document:: same:: snapshots::
	UPDATE_DOCS=1 cargo test --quiet --locked $(CARGO_FLAGS) --test gitops -- the_schema_is the_patches_of

tools: bins ## What the tests need that is built from Go modules: once, some 20 minutes on two cores
	target/debug/testbed tools

# `cargo test` at the root does not build the binaries of the other packages.
bins:
	cargo build --workspace --bins --locked $(CARGO_FLAGS)

CONTAINER_TOOL ?= docker
IMAGES = operator simulator

images: ## Both images, with docker, podman or buildah
	for image in $(IMAGES); do \
	  $(CONTAINER_TOOL) build --file Containerfile --target $$image --tag localhost/qoder-$$image:dev . || exit 1; \
	done

e2e: ## Both as Pods, on the cluster of KUBECONFIG_TEST; LOAD_IMAGE loads a tar into it; tests/e2e/README.md
	for image in $(IMAGES); do \
	  $(CONTAINER_TOOL) save --output target/qoder-$$image.tar localhost/qoder-$$image:dev || exit 1; \
	done
	tests/e2e/run.sh $(IMAGES:%=target/qoder-%.tar)

kind-test: images ## The same, on a kind cluster that is made for it and deleted after it
	deploy/kind/test.sh

bench: release ## What a fleet costs, beside a plain controller: an hour on a quiet machine; docs/performance.md
	target/release/testbed bench --baseline --json target/bench.json --markdown docs/performance.md
	target/release/testbed plot docs/performance.md docs/fleet.svg

bench-large: release ## The same with 100,000 resources and pages of 1,000, beside 10,000: another hour
	target/release/testbed bench --dialect d1 --resources 10000,100000 --scenarios adoption,idle,flip,restart,takeover \
		--json target/bench-large.json --markdown docs/performance.md
	target/release/testbed plot docs/performance.md docs/fleet.svg

bench-quick: release ## Counts only, with 1,000 resources: three minutes
	target/release/testbed bench --quick

release:
	cargo build --release --package qoder-operator --package qoder-simulator --package testbed --bins --locked $(CARGO_FLAGS)
