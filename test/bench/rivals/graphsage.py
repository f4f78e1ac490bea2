"""Epochs of GraphSAGE's training in PyTorch, on one thread, with batches of the sizes of Medley's that are there before:

    python graphsage.py STEPS TARGETS FANOUT FEATURES HIDDEN DIMENSIONS CLASSES

    pip install torch==2.15.0

The same two layers (mean aggregator), loss and AdamW as packages/training/src/graph; features of which 1.3 % are not 0, as Cora's
words. What drawing neighbours and filling tensors takes does not count here. Prints {"seconds": of this process's CPU, the median
of five epochs} as JSON.
"""

import json
import statistics
import sys
import time

import torch

STEPS, TARGETS, FANOUT, FEATURES, HIDDEN, DIMENSIONS, CLASSES = map(int, sys.argv[1:8])
NODES = TARGETS * (1 + FANOUT)
torch.set_num_threads(1)
torch.manual_seed(1)


class Layer(torch.nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.own = torch.nn.Linear(inputs, outputs)
        self.neighbours = torch.nn.Linear(inputs, outputs, bias=False)


first, second = Layer(FEATURES, HIDDEN), Layer(HIDDEN, DIMENSIONS)
head = torch.nn.Linear(DIMENSIONS, CLASSES, bias=False)
parameters = [each for module in (first, second, head) for each in module.parameters()]
optimiser = torch.optim.AdamW(parameters, lr=0.003, weight_decay=0.0005)


def sparse(rows):
    return (torch.rand(rows, FEATURES) < 0.013).float()


batches = [
    (sparse(NODES), sparse(NODES), torch.full((TARGETS, 1, FANOUT), 1 / FANOUT), torch.randint(CLASSES, (TARGETS,)))
    for _ in range(STEPS)
]


def epoch():
    for features, heard, weights, labels in batches:
        hidden = torch.relu(first.own(features) + first.neighbours(heard))
        messages = second.neighbours(hidden[TARGETS:]).reshape(TARGETS, FANOUT, DIMENSIONS)
        embedding = second.own(hidden[:TARGETS]) + (weights @ messages).squeeze(1)
        logits = 5 * head(torch.nn.functional.normalize(embedding, dim=-1))
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()


seconds = []
for _ in range(6):
    start = time.process_time()
    epoch()
    seconds.append(time.process_time() - start)
print(json.dumps({"seconds": statistics.median(seconds[1:])}))
