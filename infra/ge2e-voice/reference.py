"""Makes packages/models/src/audio/reference/voices.json: the clips' voices by Resemblyzer itself, for the tests.

    pip install torch torchaudio librosa scipy soundfile numpy     # and ffmpeg with libopus
    python reference.py RESEMBLYZER_FOLDER      # the folder that make.sh unpacks, with resemblyzer/pretrained.pt

Its steps are used as they are but for two that the graph does not have: louder clips are made quieter too, and long
silences stay (so its voice activity detector need not be there).
"""
import base64
import json
import sys
import types
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "reference"))
from audio import AUDIO, OUT, read, sounds


def resemblyzer(folder):
    for absent in ("webrtcvad", "scipy.ndimage.morphology"):
        sys.modules[absent] = types.ModuleType(absent)
    sys.modules["scipy.ndimage.morphology"].binary_dilation = None
    sys.path.insert(0, folder)
    from resemblyzer import VoiceEncoder, normalize_volume

    encoder = VoiceEncoder("cpu", verbose=False)
    return lambda wave: encoder.embed_utterance(normalize_volume(wave, -30))


def main(folder):
    embed = resemblyzer(folder)
    vectors = [
        {"file": str(clip.relative_to(AUDIO)), "vector": base64.b64encode(embed(read(clip)).astype("<f4").tobytes()).decode()}
        for clip in sounds(AUDIO / "clips")
    ]
    (OUT / "voices.json").write_text(json.dumps(vectors, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
