"""Makes test/training-steps.json.gz: ten steps of PyTorch's AdamW on the blocks of test/bench/training-blocks.ts, made small.

    pip install torch
    python infra/reference/training-steps.py test

Of every block: its sizes, AdamW's settings, the batches, and by the engine's names the tensors before and after; numbers are
little-endian float32 in base64.
"""

import base64
import gzip
import json
import sys
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).parents[2] / "test/bench/rivals"))
from training_blocks import load, modules, optimiser, saved, step  # noqa: E402

attention = [f"self/{part}/{leaf}" for part in ("query", "key", "value", "output") for leaf in ("weight", "bias")]
norm = ["scale", "bias"]
blocks = {
    "perceptron": (
        {"batch": 16, "inputs": 12, "hidden": 9, "classes": 4},
        ["hidden/weight", "hidden/bias", "out/weight", "out/bias"],
    ),
    "dlinear": (
        {"batch": 4, "lookback": 20, "horizon": 6, "channels": 2, "kernel": 5},
        ["seasonal/weight", "seasonal/bias", "trend/weight", "trend/bias"],
    ),
    "attention": (
        {"batch": 3, "steps": 6, "width": 8, "heads": 2, "hidden": 12},
        [
            *attention,
            *[f"norm-{at}/{leaf}" for at in (1, 2) for leaf in norm],
            *[f"forward-{at}/{leaf}" for at in (1, 2) for leaf in ("weight", "bias")],
        ],
    ),
    "autoformer": (
        {"batch": 3, "steps": 16, "width": 8, "hidden": 12, "kernel": 5, "factor": 1},
        [*[name.removeprefix("self/") for name in attention], "forward-1/weight", "forward-2/weight"],
    ),
    "convolution": (
        {"batch": 4, "channels": 3, "edge": 6, "outputs": 5, "classes": 3},
        [
            "convolution/weight",
            *[f"norm/{leaf}" for leaf in [*norm, "running-mean", "running-variance"]],
            "out/weight",
            "out/bias",
        ],
    ),
}
settings = {"rate": 0.01, "decay": 0.1, "clipNorm": 0.5}


def encoded(tensor):
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode()


def batch_of(kind, block):
    rows = block["batch"]
    if kind in ("perceptron", "convolution"):
        shape = [block["inputs"]] if kind == "perceptron" else [block["channels"], block["edge"], block["edge"]]
        classes = torch.randint(block["classes"], [rows])
        x = torch.randn(rows, *shape) + classes.reshape(rows, *[1] * len(shape))
        return x, torch.nn.functional.one_hot(classes, block["classes"]).float()
    if kind == "dlinear":
        series = torch.randn(rows, block["lookback"] + block["horizon"], block["channels"]).cumsum(1)
        return series[:, : block["lookback"]], series[:, block["lookback"] :]
    x = torch.randn(rows, block["steps"], block["width"])
    return x, x.roll(1, 1).tanh()


def steps_of(kind, block, names):
    torch.manual_seed(3)
    module = modules[kind](block)
    # Scales and statistics begin as ones and zeros: something else shows more.
    for parameter in module.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    before = saved(module, kind, names)
    load(module, kind, before)
    adam = optimiser(module, rate=settings["rate"], decay=settings["decay"])
    batches = [batch_of(kind, block) for _ in range(10)]
    losses = [float(step(module, adam, x, y, settings["clipNorm"])) for x, y in batches]
    after = saved(module, kind, names)
    return {
        "block": {"kind": kind, **block},
        "batches": [{"x": encoded(x), "y": encoded(y)} for x, y in batches],
        "losses": losses,
        "before": {name: encoded(tensor) for name, tensor in before.items()},
        "after": {name: encoded(tensor) for name, tensor in after.items()},
    }


steps = {kind: steps_of(kind, *each) for kind, each in blocks.items()}
content = json.dumps({"settings": settings, "blocks": steps}, indent=0)
(Path(sys.argv[1]) / "training-steps.json.gz").write_bytes(gzip.compress(content.encode(), mtime=0))
