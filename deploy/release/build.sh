#!/bin/sh
# Builds programs so that the same sources give the same bytes, wherever they lie. No path of the machine that builds is
# in them, and so none in what they log.
#   deploy/release/build.sh qoder-operator qoder-simulator
# CARGO_FLAGS are more arguments for `cargo build`.
set -eu
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-$PWD/target}
home=${CARGO_HOME:-$HOME/.cargo}
# The folder of the crates has a name of its own for each registry, and is there when they are.
cargo fetch --locked --quiet --target "$(rustc --version --verbose | sed -n 's/^host: //p')"
unit=$(printf '\037')
flags="--remap-path-prefix=$PWD=/src${unit}--remap-path-prefix=$target=/src/target"
for crates in "$home"/registry/src/*; do
  flags="$flags${unit}--remap-path-prefix=$crates=/crates"
done
export CARGO_ENCODED_RUSTFLAGS="$flags"

# One after the other: together, the one would be built with the other's features of what both use.
for program in "$@"; do
  # shellcheck disable=SC2086 # flags are words
  cargo build --release --locked --package "$program" ${CARGO_FLAGS:-}
done
