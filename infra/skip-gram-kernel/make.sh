#!/usr/bin/env bash
# Compiles kernel.as (AssemblyScript) to packages/training/src/graph/skip-gram.wasm.
# usage: infra/skip-gram-kernel/make.sh
set -euo pipefail
cd "$(dirname "$0")"

STAGING=$(mktemp -d)
trap 'rm -rf "$STAGING"' EXIT
cp kernel.as "$STAGING/kernel.ts"
npx --yes --package=assemblyscript@0.28.20 asc "$STAGING/kernel.ts" --outFile ../../packages/training/src/graph/skip-gram.wasm \
  -Ospeed --noAssert --runtime stub --initialMemory 1 --enable simd
