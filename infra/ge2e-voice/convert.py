"""Makes packages/model-ge2e-voice from Resemblyzer's weights. Needs: pip install numpy onnx onnxruntime

    infra/ge2e-voice/make.sh          # fetches the weights and runs this
    python convert.py pretrained.pt OUT

The GE2E speaker encoder (Wan et al. 2018, arXiv:1710.10467) of Resemblyzer 0.1.4, with all that its `embed_utterance`
does around the network baked into the graph, so that samples go in as with Wav2Vec2:

    waveform float32 [batch, samples], 16 kHz  ->  last_hidden_state float32 [batch, windows, 256]

volume to -30 dBFS -> windows of 1.6 s, 1.3 a second -> mel spectrogram -> LSTM -> unit vector of each window. Their mean is
the voice. Departures from the original: louder clips are made quieter too, and long silences are not cut out.
"""
import hashlib
import json
import pickle
import re
import struct
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SOURCE_SHA256 = "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e"
RATE, WINDOW, HOP, MELS = 16_000, 400, 160, 40
FRAMES, STEP = 160, 77  # Mel frames of a window, and from one to the next: 1.3 windows a second.
COVERAGE = 19_200  # Of 25,600 samples: a last window with less in it is left out.
HIDDEN = 256
COSINE_MIN = 0.9999  # As int8, with a scale for every 64 weights, it is .91: recurrent nets add errors up.


def read_weights(path):
    """The tensors of a PyTorch file of the format before 1.6, without running what it pickles."""
    types = {"FloatStorage": np.float32, "LongStorage": np.int64, "DoubleStorage": np.float64}
    storages = {}

    class Reader(pickle.Unpickler):
        def find_class(self, module, name):
            if name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
                return lambda storage, offset, size, stride, *rest: ("tensor", storage, offset, size, stride)
            if name.endswith("Storage"):
                return name
            if (module, name) == ("collections", "OrderedDict"):
                return OrderedDict
            raise pickle.UnpicklingError(f"{module}.{name}")

        def persistent_load(self, identifier):
            _, kind, key, *_ = identifier
            storages[key] = types[kind]
            return key

    with open(path, "rb") as file:
        for _ in range(3):  # Magic number, protocol, system.
            pickle.load(file)
        content = Reader(file).load()
        data = {}
        for key in pickle.load(file):
            kind = np.dtype(storages[key])
            (count,) = struct.unpack("<q", file.read(8))
            data[key] = np.frombuffer(file.read(count * kind.itemsize), kind)

    def array(entry):
        _, key, offset, size, stride = entry
        strides = [step * data[key].itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(data[key][offset:], size, strides).copy()

    return {name: array(entry) for name, entry in content["model_state"].items() if entry[0] == "tensor"}


def mel_filters():
    """Slaney's triangles of equal area, librosa's default: [40, 201]."""
    hertz_to_mel = lambda f: np.where(f >= 1000, 15 + np.log(np.maximum(f, 1e-9) / 1000) / (np.log(6.4) / 27), f * 3 / 200)
    mel_to_hertz = lambda m: np.where(m >= 15, 1000 * np.exp((np.log(6.4) / 27) * (m - 15)), m * 200 / 3)
    ends = mel_to_hertz(np.linspace(0, float(hertz_to_mel(np.float64(RATE / 2))), MELS + 2))
    ramps = ends[:, None] - np.fft.rfftfreq(WINDOW, 1 / RATE)[None]
    widths = np.diff(ends)
    triangles = np.maximum(0, np.minimum(-ramps[:-2] / widths[:-1, None], ramps[2:] / widths[1:, None]))
    return triangles * (2 / (ends[2:] - ends[:-2]))[:, None]


class Graph:
    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, values, kind=np.float32):
        name = f"c{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.array(values, kind, order="C"), name))
        return name

    def integer(self, value):
        return self.constant(value, np.int64)

    def node(self, kind, *inputs, outputs=1, **attributes):
        names = [f"{kind.lower()}{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def weights(self, values, kind):
        """Stored as `kind`, turned back to float32 when the model is loaded."""
        return self.node("Cast", self.constant(values, kind), to=TensorProto.FLOAT)


def windows(g, waveform):
    """Samples at -30 dBFS, padded for whole windows, and how many windows there are: as `compute_partial_slices`."""
    power = g.node("ReduceMean", g.node("Mul", waveform, waveform), axes=[1], keepdims=1)
    level = g.node("Max", g.node("Sqrt", power), g.constant(1e-9))
    loud = g.node("Mul", waveform, g.node("Div", g.constant(10 ** (-30 / 20)), level))
    samples = g.node("Gather", g.node("Shape", waveform), g.integer(1))
    frames = g.node("Add", g.node("Div", samples, g.integer(HOP)), g.integer(1))
    steps = g.node("Max", g.integer(1), g.node("Sub", frames, g.integer(FRAMES - STEP - 1)))
    most = g.node("Div", g.node("Add", steps, g.integer(STEP - 1)), g.integer(STEP))
    last = g.node("Mul", g.node("Sub", most, g.integer(1)), g.integer(STEP * HOP))
    is_short = g.node("Less", g.node("Sub", samples, last), g.integer(COVERAGE))
    is_extra = g.node("And", is_short, g.node("Greater", most, g.integer(1)))
    count = g.node("Sub", most, g.node("Cast", is_extra, to=TensorProto.INT64))
    start = g.node("Mul", g.node("Sub", count, g.integer(1)), g.integer(STEP * HOP))
    missing = g.node("Sub", g.node("Add", start, g.integer(FRAMES * HOP)), samples)
    after = g.node("Add", g.node("Max", missing, g.integer(0)), g.integer(WINDOW // 2))
    pads = g.node("Concat", g.integer([0, WINDOW // 2, 0]), g.node("Unsqueeze", after, g.integer([0])), axis=0)
    return g.node("Pad", loud, pads), count


def mel_windows(g, padded, count):
    """[160, batch * windows, 40], and the number of rows of the batch."""
    phase = np.arange(WINDOW // 2 + 1)[:, None] * np.arange(WINDOW)[None] * 2 * np.pi / WINDOW
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    fourier = np.concatenate([np.cos(phase) * hann, -np.sin(phase) * hann])[:, None, :]
    spectrum = g.node("Conv", g.node("Unsqueeze", padded, g.integer([1])), g.constant(fourier), strides=[HOP])
    halves = g.node("Split", g.node("Mul", spectrum, spectrum), g.integer([201, 201]), outputs=2, axis=1)
    mel = g.node("Conv", g.node("Add", *halves), g.constant(mel_filters()[:, :, None]))
    starts = g.node("Mul", g.node("Range", g.integer(0), count, g.integer(1)), g.integer(STEP))
    indices = g.node("Add", g.node("Unsqueeze", starts, g.integer([1])), g.integer(np.arange(FRAMES)))
    cut = g.node("Gather", mel, indices, axis=2)  # [batch, 40, windows, 160]
    return g.node("Reshape", g.node("Transpose", cut, perm=[3, 0, 2, 1]), g.integer([FRAMES, -1, MELS]))


def build(weights, kind):
    g = Graph()
    padded, count = windows(g, "waveform")
    x = mel_windows(g, padded, count)
    order = lambda w: np.concatenate([w[:HIDDEN], w[3 * HIDDEN :], w[HIDDEN : 3 * HIDDEN]])  # i f g o -> i o f g
    for layer in range(3):
        part = lambda name: order(weights[f"lstm.{name}_l{layer}"])[None]
        bias = g.constant(np.concatenate([part("bias_ih"), part("bias_hh")], axis=1))
        matrices = [g.weights(part(name), kind) for name in ("weight_ih", "weight_hh")]
        steps, last = g.node("LSTM", x, *matrices, bias, outputs=2, hidden_size=HIDDEN)
        x = g.node("Squeeze", steps, g.integer([1]))
    state = g.node("Squeeze", last, g.integer([0]))
    projected = g.node("Gemm", state, g.weights(weights["linear.weight"], kind), g.constant(weights["linear.bias"]), transB=1)
    positive = g.node("Relu", projected)
    length = g.node("Max", g.node("ReduceL2", positive, axes=[1], keepdims=1), g.constant(1e-9))
    batch = g.node("Unsqueeze", g.node("Gather", g.node("Shape", "waveform"), g.integer(0)), g.integer([0]))
    shape = g.node("Concat", batch, g.integer([-1, HIDDEN]), axis=0)
    g.nodes.append(helper.make_node("Reshape", [g.node("Div", positive, length), shape], ["last_hidden_state"]))
    value = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
    graph = helper.make_graph(
        g.nodes,
        "ge2e-voice",
        [value("waveform", ["batch", "samples"])],
        [value("last_hidden_state", ["batch", "windows", HIDDEN])],
        g.initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def closeness(made, exact):
    """The smallest cosine of clips' vectors over noise of 64 spectra and lengths."""
    sessions = [onnxruntime.InferenceSession(model) for model in (made, exact)]
    random = np.random.default_rng(1)
    cosines = []
    for _ in range(64):
        samples = int(random.integers(4_000, 80_000))
        tones = np.sin(np.outer(random.uniform(0.05, 2.5, 12), np.arange(samples)) + random.uniform(0, 6, (12, 1)))
        wave = random.normal(size=12) @ tones + random.normal(size=samples) * random.uniform(0, 2)
        feeds = {"waveform": wave[None].astype(np.float32)}
        a, b = (session.run(None, feeds)[0][0].mean(axis=0) for session in sessions)
        cosines.append(float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))
    return min(cosines), float(np.mean(cosines))


CONFIG = {
    "model_type": "ge2e",
    "hidden_size": HIDDEN,
    "feat_extract_norm": "group",
    "conv_kernel": [WINDOW],
    "conv_stride": [HOP],
}
PREPROCESSOR = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": RATE,
    "do_normalize": False,
    "padding_value": 0.0,
    "return_attention_mask": False,
}


def formatted(content):
    text = re.sub(r"\[\n\s+(\d+)\n\s+\]", r"[\1]", json.dumps(content, indent=2))
    return f"{text}\n".encode()


def main(source, out):
    assert hashlib.sha256(Path(source).read_bytes()).hexdigest() == SOURCE_SHA256, f"{source} is another file"
    weights = read_weights(source)
    exact = build(weights, np.float32)
    made = build(weights, np.float16)
    least, mean = closeness(made, exact)
    print(f"cosine of float16 weights to float32 over 64 clips: min {least:.6f}, mean {mean:.6f}; {len(made)} for {len(exact)} bytes")
    assert least >= COSINE_MIN, "not close enough: nothing written"
    files = {"onnx/model.onnx": made, "config.json": formatted(CONFIG), "preprocessor_config.json": formatted(PREPROCESSOR)}
    manifest = {
        "name": "ge2e-voice",
        "origin": "https://github.com/resemble-ai/Resemblyzer",
        "licence": "Apache-2.0",
        "dimensions": HIDDEN,
        "source": {"file": "resemblyzer 0.1.4 resemblyzer/pretrained.pt", "sha256": SOURCE_SHA256},
        "cosineToSource": {"clips": 64, "min": round(least, 6), "mean": round(mean, 6)},
        "files": {name: {"bytes": len(b), "sha256": hashlib.sha256(b).hexdigest()} for name, b in files.items()},
    }
    for name, content in {**files, "manifest.json": formatted(manifest)}.items():
        path = Path(out) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
