#!/usr/bin/env bash
# A Vulkan driver that computes on the CPU, to test the WebGPU path without a GPU: SwiftShader out of Debian's package
# chromium-common (31 MB, unpacked into a folder, nothing is installed). Very slow, exact.
# usage: MEDLEY_SOFTWARE_GPU=$(infra/software-gpu.sh) npm test
# Prints the driver's folder. MEDLEY_SOFTWARE_GPU_CACHE: where it is unpacked.
set -euo pipefail

BASE=${MEDLEY_SOFTWARE_GPU_CACHE:-$(dirname "$(mktemp -u)")/medley-software-gpu-$(id -u)}
FOLDER=$BASE/usr/lib/chromium
DRIVER=$FOLDER/vk_swiftshader_icd.json

fail() { echo "software-gpu: $*" >&2; exit 1; }

if [ ! -f "$DRIVER" ]; then
  command -v apt-get > /dev/null && command -v dpkg-deb > /dev/null || fail "needs a Debian system"
  mkdir -p "$BASE"
  part=$(mktemp -d "$BASE/part-XXXXXX")
  trap 'rm -rf "$part"' EXIT
  # Signed by the archive. The list of packages may be missing or old on a fresh machine.
  download() { (cd "$part" && apt-get -qq download chromium-common) >&2; }
  for attempt in 1 2 3; do
    download && break
    [ "$attempt" -lt 3 ] || fail "chromium-common could not be downloaded"
    apt-get -qq update >&2 || sleep $((attempt * 3))
  done
  dpkg-deb -x "$part"/chromium-common_*.deb "$BASE"
  [ -f "$DRIVER" ] || fail "the package holds no SwiftShader"
fi
echo "$FOLDER"
