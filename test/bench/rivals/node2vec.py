"""Node2Vec as it is done in Python: walks in plain Python, skip-gram by gensim.

    python node2vec.py CITATIONS.csv SEED WALKS LENGTH DIMENSIONS WINDOW NEGATIVES EPOCHS RATE

    pip install gensim==4.4.0

CITATIONS.csv has a header and two ids a line; edges lead both ways, walks are p = q = 1 (what costs Python least). Prints
{"walkSeconds", "trainSeconds": of this process's CPU, "ids", "vectors"} as JSON.
"""

import csv
import json
import random
import sys
import time

from gensim.models import Word2Vec

PATH, SEED = sys.argv[1], int(sys.argv[2])
WALKS, LENGTH, DIMENSIONS, WINDOW, NEGATIVES, EPOCHS = map(int, sys.argv[3:9])
RATE = float(sys.argv[9])

neighbours = {}
with open(PATH) as lines:
    for source, target in list(csv.reader(lines))[1:]:
        neighbours.setdefault(source, []).append(target)
        neighbours.setdefault(target, []).append(source)

start = time.process_time()
draw = random.Random(SEED)
walks = []
nodes = list(neighbours)
for _ in range(WALKS):
    draw.shuffle(nodes)
    for node in nodes:
        walk = [node]
        while len(walk) < LENGTH:
            walk.append(draw.choice(neighbours[walk[-1]]))
        walks.append(walk)
walked = time.process_time()
model = Word2Vec(
    walks,
    vector_size=DIMENSIONS,
    window=WINDOW,
    negative=NEGATIVES,
    epochs=EPOCHS,
    alpha=RATE,
    min_alpha=RATE / 100,
    sg=1,
    hs=0,
    sample=0,
    min_count=0,
    workers=1,
    seed=SEED,
)
trained = time.process_time()
print(
    json.dumps(
        {
            "walkSeconds": walked - start,
            "trainSeconds": trained - walked,
            "ids": model.wv.index_to_key,
            "vectors": [[float(x) for x in vector] for vector in model.wv.vectors],
        }
    )
)
