"""Makes packages/models/src/audio/reference: what transformers and torchaudio give for the project's clips.

    pip install torch torchaudio transformers onnx onnxscript soundfile numpy     # and ffmpeg with libopus
    python infra/reference/audio.py && npm run format

Two tiny Wav2Vec2 with random weights and the true architecture (as ONNX, as an export from the hub would be), one per kind of
feature extractor: "group" normalises over time and takes no mask (wav2vec2-base), "layer" takes one (wav2vec2-large-lv60).
Also outputs of torchaudio's resampling, and sound files of other forms than the clips have.
"""
import base64
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

AUDIO = Path(__file__).resolve().parents[2] / "packages/models/src/audio"
OUT = AUDIO / "reference"
RATE = 16_000
OUTPUTS = ["last_hidden_state", "extract_features"]
# As in resample.ts.
FILTER = dict(lowpass_filter_width=64, rolloff=0.95, resampling_method="sinc_interp_kaiser", beta=9.0)


def resample(wave, source, target=RATE):
    return torchaudio.functional.resample(torch.as_tensor(wave, dtype=torch.float64), source, target, **FILTER).numpy()


def read(path):
    """Mono at 16 kHz. Opus is decoded at its own rate, 48 kHz; libsndfile would take that of the recording."""
    if path.suffix == ".opus":
        command = ["ffmpeg", "-v", "error", "-c:a", "libopus", "-i", path, "-f", "f32le", "-ac", "1", "-"]
        decoded = np.frombuffer(subprocess.run(command, check=True, capture_output=True).stdout, "<f4")
        return resample(decoded, 48_000).astype(np.float32)
    channels, rate = soundfile.read(path, dtype="float64", always_2d=True)
    return resample(channels.mean(axis=1), rate).astype(np.float32)


def sounds(folder):
    return sorted(path for path in folder.iterdir() if path.suffix in (".flac", ".mp3", ".ogg", ".opus", ".wav"))


def packed(values):
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode()


def write_json(path, content):
    path.write_text(json.dumps(content, indent=2) + "\n")


def make_files():
    """Forms that the clips do not have: rates, channels, widths."""
    voice, rate = soundfile.read(AUDIO / "clips/slt-2.ogg")
    part = voice[8_000:20_000]
    wide = resample(part, rate, 44_100)
    stereo = np.stack([wide, 0.5 * np.roll(wide, 100)], axis=1)
    soundfile.write(OUT / "stereo-44100.flac", stereo, 44_100, subtype="PCM_16")
    soundfile.write(OUT / "mono-8000.wav", resample(voice[10_000:], rate, 8_000)[:9_001], 8_000, subtype="PCM_16")
    soundfile.write(OUT / "mono-11025-24.flac", resample(part, rate, 11_025)[:7_777], 11_025, subtype="PCM_24")
    soundfile.write(OUT / "stereo-22050-float.wav", stereo[::2][:5_000], 22_050, subtype="FLOAT")
    soundfile.write(OUT / "mono-32000.mp3", resample(voice[20_000:50_000], rate, 32_000), 32_000, subtype="MPEG_LAYER_III")


def make_model(kind):
    torch.manual_seed(7 if kind == "group" else 8)
    config = Wav2Vec2Config(
        vocab_size=4, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        conv_dim=(16,) * 7, num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, initializer_range=0.3,
        feat_extract_norm=kind, conv_bias=kind == "layer", do_stable_layer_norm=kind == "layer",
    )  # fmt: skip
    config._attn_implementation = "eager"
    extractor = Wav2Vec2FeatureExtractor(
        feature_size=1, sampling_rate=RATE, padding_value=0.0, do_normalize=True, return_attention_mask=kind == "layer"
    )
    return Wav2Vec2Model(config).eval(), extractor


def export(kind, model, extractor):
    folder = OUT / f"wav2vec2-{kind}"
    folder.mkdir()
    model.config.save_pretrained(folder)
    extractor.save_pretrained(folder)
    inputs = {"input_values": torch.randn(2, 8_000)}
    if kind == "layer":
        inputs["attention_mask"] = torch.ones(2, 8_000, dtype=torch.int64)
        inputs["attention_mask"][1, 5_000:] = 0
    names = list(inputs)
    torch.onnx.export(
        model, (), folder / "model.onnx", kwargs=inputs, input_names=names, output_names=OUTPUTS,
        dynamic_axes={name: {0: "batch", 1: "samples"} for name in names} | {name: {0: "batch", 1: "frames"} for name in OUTPUTS},
        opset_version=17, dynamo=False,
    )  # fmt: skip


def vector(model, extractor, waves):
    """The mean over each clip's true frames; all in one batch, padded."""
    inputs = extractor(waves, sampling_rate=RATE, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = model(**inputs).last_hidden_state
    frames = [int(model._get_feat_extract_output_lengths(len(wave))) for wave in waves]
    return [state[:count].mean(axis=0).numpy() for state, count in zip(states, frames)]


def main():
    for kind in ("group", "layer"):
        shutil.rmtree(OUT / f"wav2vec2-{kind}", ignore_errors=True)
    OUT.mkdir(parents=True, exist_ok=True)
    make_files()
    clips = sounds(AUDIO / "clips") + sounds(OUT)
    waves = [read(path) for path in clips]
    vectors = {}
    for kind in ("group", "layer"):
        model, extractor = make_model(kind)
        export(kind, model, extractor)
        alone = kind == "group"  # Such a model's vectors depend on padding: a clip is run by itself.
        vectors[kind] = sum((vector(model, extractor, [w]) for w in waves), []) if alone else vector(model, extractor, waves)
    write_json(OUT / "vectors.json", [
        {"file": str(clip.relative_to(AUDIO)), "samples": len(wave), **{kind: packed(vectors[kind][i]) for kind in vectors}}
        for i, (clip, wave) in enumerate(zip(clips, waves))
    ])  # fmt: skip
    chirp = np.sin(1e-3 * np.arange(3_000) ** 1.6)
    write_json(OUT / "resampled.json", [
        {"from": source, "to": target, "samples": packed(resample(chirp, source, target))}
        for source, target in [(44_100, 16_000), (48_000, 16_000), (8_000, 16_000), (22_050, 16_000), (16_000, 22_050), (96_000, 4_000)]
    ])  # fmt: skip


if __name__ == "__main__":
    main()
