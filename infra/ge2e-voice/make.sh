#!/usr/bin/env bash
# Fetches Resemblyzer's weights by pip (16 MB, once, sha256 checked by convert.py) and makes packages/model-ge2e-voice anew.
# usage: PYTHON=python3 infra/ge2e-voice/make.sh [OUT]
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
OUT=${1:-$HERE/../../packages/model-ge2e-voice}
FOLDER=${MEDLEY_MODELS_CACHE:-$(dirname "$(mktemp -u)")/medley-models-$(id -u)}
PYTHON=${PYTHON:-python3}
WEIGHTS=$FOLDER/resemblyzer/pretrained.pt

if [ ! -f "$WEIGHTS" ]; then
  "$PYTHON" -m pip download -q --no-deps --dest "$FOLDER" resemblyzer==0.1.4
  "$PYTHON" -m zipfile -e "$FOLDER"/Resemblyzer-0.1.4-*.whl "$FOLDER"
fi
"$PYTHON" "$HERE/convert.py" "$WEIGHTS" "$OUT"
