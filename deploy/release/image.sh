#!/usr/bin/env bash
# Builds an image so that the same commit gives the same image: deploy/release/image.sh operator 1.2.3 type=oci,dest=operator.tar
# The last argument is an --output of `docker buildx build`.
set -euo pipefail
cd "$(dirname "$0")/../.."

SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
# The provenance has times in it; the release attests it apart. A pushed image would be of other media types than one in a file.
docker buildx build --file Containerfile --target "$1" --build-arg VERSION="$2" --provenance=false \
  --output "$3,rewrite-timestamp=true,oci-mediatypes=true" .
