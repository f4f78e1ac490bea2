#!/usr/bin/env bash
# Makes packages/models/src/audio/clips: six distinct synthetic voices say three sentences each, in three formats.
# needs (Debian's names): espeak-ng flite ffmpeg
set -euo pipefail

OUT=$(cd "$(dirname "$0")/../.." && pwd)/packages/models/src/audio/clips
WORK=$(mktemp -d)
trap 'rm -r "$WORK"' EXIT
SENTENCES=(
  "The harbour lights went out one after another as the storm came in from the west."
  "She counted seven copper coins, then put all but one of them back into the drawer."
  "Nobody at the station could say when the next train for the mountains would leave."
)
CODECS=("libopus -b:a 24k" "libvorbis -q:a 2" "libmp3lame -q:a 5")
ENDINGS=(opus ogg mp3)

say() { # voice, sentence, file
  case $1 in
    espeak) espeak-ng -v en-us -w "$3" "$2" ;;
    espeak-f3) espeak-ng -v en-us+f3 -w "$3" "$2" ;;
    *) flite -voice "$1" -t "$2" -o "$3" ;;
  esac
}

for voice in espeak espeak-f3 awb rms slt kal16; do
  for i in 0 1 2; do
    say "$voice" "${SENTENCES[$i]}" "$WORK/a.wav"
    # shellcheck disable=SC2086
    ffmpeg -v error -y -i "$WORK/a.wav" -ar 16000 -ac 1 -map_metadata -1 -fflags +bitexact -flags:a +bitexact -c:a ${CODECS[$i]} \
      "$OUT/$voice-$((i + 1)).${ENDINGS[$i]}"
  done
done
