#!/usr/bin/env bash
# Whether the same commit gives the same bytes, seen by building everything twice.
#   deploy/release/reproducible.sh programs       with cargo, in two folders, each with its own home of cargo
#   deploy/release/reproducible.sh images 1.2.3   with docker buildx, each time with a builder that has no cache
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
builders=()
end() {
  for builder in ${builders[@]+"${builders[@]}"}; do docker buildx rm "$builder" > /dev/null || true; done
  rm -rf "$work"
}
trap end EXIT

programs() {
  for folder in one quite-another-place; do
    mkdir -p "$work/$folder/sources"
    git archive HEAD | tar --extract --directory "$work/$folder/sources"
    env --unset=CARGO_TARGET_DIR CARGO_HOME="$work/$folder/home" \
      "$work/$folder/sources/deploy/release/build.sh" qoder-operator qoder-simulator >&2
    (cd "$work/$folder/sources/target/${CARGO_BUILD_TARGET:-}/release" && sha256sum qoder-operator qoder-simulator) \
      > "$work/$folder.digests"
  done
}

images() {
  for folder in one another; do
    builder=$(docker buildx create --driver docker-container)
    builders+=("$builder")
    for image in operator simulator; do
      BUILDX_BUILDER=$builder deploy/release/image.sh "$image" "$1" "type=oci,dest=$work/$image.tar"
      digest=$(tar --extract --to-stdout --file "$work/$image.tar" index.json | grep --only-matching 'sha256:[0-9a-f]\{64\}')
      echo "$digest  qoder-$image"
    done > "$work/$folder.digests"
  done
}

case ${1:-} in
  programs) programs ;;
  images) images "${2:?a version}" ;;
  *) echo "usage: $0 programs | images VERSION" >&2; exit 2 ;;
esac
set -- "$work"/*.digests
cat "$1"
diff "$1" "$2" || { echo "two builds of the same commit differ" >&2; exit 1; }
