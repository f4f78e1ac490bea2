"""A process that takes training steps of a block of training_blocks.py with PyTorch:

    python training_step.py FOLDER THREADS

    pip install torch==2.15.0

FOLDER/start.json holds the block, the learning rate, and the lengths of the tensors in FOLDER/tensors.f32 (little-endian): the
parameters by name, then x and y of every batch. Requests and answers are those of LineProcess: {"steps": n} goes on by n steps,
"fromStart" first brings everything back to where it began.
"""

import json
import os
import sys
import time
from pathlib import Path

import numpy
import torch
from training_blocks import load, modules, optimiser, step

folder, threads = Path(sys.argv[1]), int(sys.argv[2])
torch.set_num_threads(threads)
start = json.loads((folder / "start.json").read_text())
block = start["block"]
numbers = numpy.fromfile(folder / "tensors.f32", dtype="<f4")


class Tensors:
    def __init__(self):
        self.at = 0

    def take(self, shape):
        size = int(numpy.prod(shape))
        self.at += size
        return torch.from_numpy(numbers[self.at - size : self.at].reshape(shape).copy())


tensors = Tensors()
parameters = {name: tensors.take([size]) for name, size in start["parameters"]}
batches = [(tensors.take(start["x"]), tensors.take(start["y"])) for _ in range(start["batches"])]
module = modules[block["kind"]](block)


def begin():
    global adam, taken
    load(module, block["kind"], parameters)
    # Its fastest: one kernel for all of a parameter's update.
    adam = optimiser(module, rate=start["rate"], decay=0.0, fused=True)
    taken = 0


begin()
with os.fdopen(3, "w") as answers:
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        if request["fromStart"]:
            begin()
        losses = []
        began = time.perf_counter()
        for _ in range(request["steps"]):
            losses.append(float(step(module, adam, *batches[taken % len(batches)])))
            taken += 1
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "losses": losses}), file=answers, flush=True)
