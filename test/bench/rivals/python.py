"""A process of a Python library that encodes texts, with the weights of the model in a folder:

    python python.py fastembed|sentence-transformers FOLDER THREADS     (0 threads: the library's default)

    pip install fastembed==0.9.1 sentence-transformers==6.2.0 torch==2.15.0 onnx==1.23.2

Requests and answers are those of rival.ts: lines of JSON on standard input and on file descriptor 3.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path

LIBRARY, FOLDER, THREADS = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
DEFAULT_BATCH = {"fastembed": 256, "sentence-transformers": 32}[LIBRARY]

os.environ["HF_HUB_OFFLINE"] = "1"


def fastembed():
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    TextEmbedding.add_custom_model(
        model="local/minilm",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="local/minilm"),
        dim=384,
        model_file="onnx/model.onnx",
    )
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "onnx"):
            (Path(folder) / name).symlink_to(FOLDER / name)
        special = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
        (Path(folder) / "special_tokens_map.json").write_text(json.dumps(special))
        model = TextEmbedding("local/minilm", specific_model_path=folder, threads=THREADS or None)
    return lambda texts, batch: list(model.embed(texts, batch_size=batch))


def weights_of(path):
    """Torch's names and values. Weights that are stored as int8 are scaled as the graph does it."""
    import numpy
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    stored = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for name in [name.removesuffix(".int8") for name in stored if name.endswith(".int8")]:
        values = stored[f"{name}.int8"].astype(numpy.float32) * stored[f"{name}.scale"]
        stored[name] = values.reshape(stored[f"{name}.shape"]) if f"{name}.shape" in stored else values
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in stored:
            module = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            stored[f"{module}.weight"] = stored[node.input[1]].T
    return stored


def sentence_transformers():
    import numpy
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    if THREADS:
        torch.set_num_threads(THREADS)
    config = json.loads((FOLDER / "config.json").read_text())
    bert = BertModel(BertConfig(**config), add_pooling_layer=False)
    stored = weights_of(FOLDER / "onnx/model.onnx")
    state = {name: torch.from_numpy(numpy.array(values)) for name, values in stored.items() if name in bert.state_dict()}
    missing, _ = bert.load_state_dict(state, strict=False)
    assert not missing, missing
    limit = json.loads((FOLDER / "sentence_bert_config.json").read_text())["max_seq_length"]
    with tempfile.TemporaryDirectory() as folder:
        bert.save_pretrained(folder)
        BertTokenizerFast(tokenizer_file=str(FOLDER / "tokenizer.json")).save_pretrained(folder)
        transformer = Transformer(folder, max_seq_length=limit)
        model = SentenceTransformer(modules=[transformer, Pooling(384, "mean"), Normalize()], device="cpu")
    return lambda texts, batch: model.encode(texts, batch_size=batch, show_progress_bar=False)


encode = {"fastembed": fastembed, "sentence-transformers": sentence_transformers}[LIBRARY]()
with os.fdopen(3, "w") as answers:
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        start = time.perf_counter()
        vectors = encode(request["texts"], request["batchTexts"] or DEFAULT_BATCH)
        seconds = time.perf_counter() - start
        answer = {"seconds": seconds, "vectors": [[float(x) for x in vector] for vector in vectors]}
        print(json.dumps(answer), file=answers, flush=True)
