"""spaCy's text classifier, trained on labelled texts and asked for the labels of others:

    python textcat.py TRAIN.jsonl.gz TEST.jsonl.gz bow|ensemble EPOCHS SEED

    pip install spacy==3.8.18

A blank English pipeline, so that nothing is downloaded: `bow` is what spaCy's own configuration for CPUs takes (single words,
linear), `ensemble` the component's default (a convolutional network beside the bag of words), dropout and batch sizes are
those of its configuration. Lines of both files are {"text", "label"}. Prints {"seconds": of CPU time of the training, "labels": of the
test's lines} as JSON.
"""

import gzip
import json
import random
import sys
import time

import spacy
from spacy.training import Example
from spacy.util import compounding, fix_random_seed, minibatch

TRAIN, TEST, ARCHITECTURE, EPOCHS, SEED = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
BOW = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1, "no_output_layer": False}


def read(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


fix_random_seed(SEED)
train, test = read(TRAIN), read(TEST)
labels = sorted({row["label"] for row in train})
nlp = spacy.blank("en")
nlp.add_pipe("textcat", config={"model": BOW} if ARCHITECTURE == "bow" else {})
examples = [
    Example.from_dict(nlp.make_doc(row["text"]), {"cats": {label: float(label == row["label"]) for label in labels}})
    for row in train
]
start = time.process_time()
optimizer = nlp.initialize(lambda: examples)
for _ in range(EPOCHS):
    random.shuffle(examples)
    for batch in minibatch(examples, size=compounding(4.0, 32.0, 1.001)):
        nlp.update(batch, sgd=optimizer, drop=0.2)
seconds = time.process_time() - start
found = [max(doc.cats, key=doc.cats.get) for doc in nlp.pipe(row["text"] for row in test)]
print(json.dumps({"seconds": seconds, "labels": found}))
