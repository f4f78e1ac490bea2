"""Epochs of GraphSAGE's training in PyTorch, on one thread, with batches of the sizes of Medley's:

    python graphsage.py STEPS TARGETS FANOUT NODES EDGES FEATURES HIDDEN DIMENSIONS CLASSES

    pip install torch==2.15.0

The same two layers (mean aggregator), loss and AdamW as packages/training/src/graph; features of which 1.3 % are not 0, as Cora's
words, half of them dropped anew for each step; a graph of as many nodes and edges, half of which lead to a tenth of the nodes. Neighbours are
drawn for all nodes of a batch at once. Of the ways tried, the fastest: numbers are dropped of the sparse table, what neighbours say together is an
embedding bag of the dense one (a product with a sparse matrix takes 1.5 times as long, the mean of what is gathered ten times). Prints {"seconds": of this process's CPU for an epoch, "stepSeconds": for one whose
batches are there before}, medians of five, as JSON.
"""

import json
import statistics
import sys
import time
import warnings

import torch

STEPS, TARGETS, FANOUT, NODES, EDGES, FEATURES, HIDDEN, DIMENSIONS, CLASSES = map(int, sys.argv[1:10])
ROWS = TARGETS * (1 + FANOUT)
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


warnings.filterwarnings("ignore", message="Sparse")
table = (torch.rand(NODES, FEATURES) < 0.013).float().to_sparse_csr()
popular = torch.rand(EDGES) < 0.5
ends = torch.where(popular, torch.randint(NODES // 10, (EDGES,)), torch.randint(NODES, (EDGES,)))
begins = torch.randint(NODES, (EDGES,))
order = torch.cat([begins, ends]).argsort(stable=True)
neighbours = torch.cat([ends, begins])[order]
degrees = torch.bincount(torch.cat([begins, ends]), minlength=NODES)
offsets = torch.cat([torch.zeros(1, dtype=torch.long), degrees.cumsum(0)])
labels_of = torch.randint(CLASSES, (NODES,))
weights = torch.full((TARGETS, 1, FANOUT), 1 / FANOUT)


def draw(nodes):
    places = (torch.rand(len(nodes), FANOUT) * degrees[nodes, None]).long()
    return neighbours[(offsets[nodes, None] + places).clamp(max=2 * EDGES - 1)]


def batch(targets):
    nodes = torch.cat([targets, draw(targets).flatten()])
    kept = torch.nn.functional.dropout(table.values(), 0.5)
    features = torch.sparse_csr_tensor(table.crow_indices(), table.col_indices(), kept, (NODES, FEATURES)).to_dense()
    heard = torch.nn.functional.embedding_bag(draw(nodes), features, mode="mean")
    return features[nodes], heard, labels_of[targets]


def step(features, heard, labels):
    hidden = torch.relu(first.own(features) + first.neighbours(heard))
    messages = second.neighbours(hidden[TARGETS:]).reshape(TARGETS, FANOUT, DIMENSIONS)
    embedding = second.own(hidden[:TARGETS]) + (weights @ messages).squeeze(1)
    logits = 5 * head(torch.nn.functional.normalize(embedding, dim=-1))
    loss = torch.nn.functional.cross_entropy(logits, labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()


def epoch(batches):
    for each in batches:
        step(*each)


def median_seconds(work):
    seconds = []
    for _ in range(6):
        start = time.process_time()
        work()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds[1:])


def targets_of_epoch():
    return torch.randint(NODES, (STEPS, TARGETS))


there = [batch(targets) for targets in targets_of_epoch()]
stepSeconds = median_seconds(lambda: epoch(there))
seconds = median_seconds(lambda: epoch(batch(targets) for targets in targets_of_epoch()))
print(json.dumps({"seconds": seconds, "stepSeconds": stepSeconds}))
