"""Makes packages/training/src/evaluation/reference.jsonl: what scikit-learn and SciPy say of the same rows.

    pip install scikit-learn scipy numpy
    python infra/reference/metrics.py packages/training/src/evaluation/reference.jsonl

Rows are seeded and rounded, so that a figure is that of what is written in the file.
"""

import json
import sys

import numpy as np
from scipy.stats import bootstrap
from sklearn import metrics
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.class_weight import compute_class_weight

random = np.random.default_rng(7)


def classification(rows, class_count, missing):
    """`missing` is never predicted; probabilities are of a model that is right more often than not."""
    truth = random.integers(0, class_count, rows)
    logits = random.normal(size=(rows, class_count)) + 1.5 * np.eye(class_count)[truth]
    logits[:, missing] -= 20
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    probabilities = np.round(probabilities, 6)
    predicted = probabilities.argmax(1)
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        truth, predicted, labels=range(class_count), zero_division=0
    )
    weights = compute_class_weight("balanced", classes=np.arange(class_count), y=truth)
    return {
        "truth": truth.tolist(),
        "probabilities": probabilities.ravel().tolist(),
        "classCount": class_count,
        "accuracy": metrics.accuracy_score(truth, predicted),
        "macroF1": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "support": support.tolist(),
        "confusion": metrics.confusion_matrix(truth, predicted, labels=range(class_count)).ravel().tolist(),
        "brier": float(((probabilities - np.eye(class_count)[truth]) ** 2).sum(1).mean()),
        "calibrationError": calibration_error(truth, probabilities),
        "classWeights": weights.tolist(),
        "recallAt2": metrics.top_k_accuracy_score(truth, probabilities, k=2, labels=range(class_count)),
    }


def calibration_error(truth, probabilities, bins=15):
    """Guo et al. 2017, eq. 3, in the way of their own code: bins are (low, high]."""
    confidence, hit = probabilities.max(1), probabilities.argmax(1) == truth
    edges = np.linspace(0, 1, bins + 1)
    error = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())
    return float(error)


def ranking(rows):
    """One decimal, so that scores are equal often."""
    positive = (random.random(rows) < 0.2).astype(int)
    scores = np.round(random.normal(size=rows) + positive, 1)
    return {
        "positive": positive.tolist(),
        "scores": scores.tolist(),
        "averagePrecision": metrics.average_precision_score(positive, scores),
        "rocAuc": metrics.roc_auc_score(positive, scores),
    }


def regression(rows):
    truth, predicted = np.round(random.normal(size=(2, rows)), 4)
    return {
        "truth": truth.tolist(),
        "predicted": predicted.tolist(),
        "meanSquaredError": metrics.mean_squared_error(truth, predicted),
        "meanAbsoluteError": metrics.mean_absolute_error(truth, predicted),
    }


def neighbours(known_rows, query_rows, dimensions, class_count):
    """Few neighbours and many classes, so that votes are equal often; one row of zeros."""
    labels = random.integers(0, class_count, known_rows)
    centres = random.normal(size=(class_count, dimensions))
    known = np.round(centres[labels] + 2 * random.normal(size=(known_rows, dimensions)), 2)
    queries = np.round(2 * random.normal(size=(query_rows, dimensions)), 2)
    known[3] = 0
    answers = {}
    for k in [4, 15]:
        model = KNeighborsClassifier(k, metric="cosine", algorithm="brute").fit(known, labels)
        distances, _ = model.kneighbors(queries)
        leave_one_out = [
            KNeighborsClassifier(k, metric="cosine", algorithm="brute")
            .fit(np.delete(known, row, 0), np.delete(labels, row))
            .predict(known[row : row + 1])[0]
            for row in range(known_rows)
            if row != 3  # All its neighbours are equally near.
        ]
        answers[str(k)] = {
            "predicted": model.predict(queries).tolist(),
            "cosines": np.round(1 - distances, 6).ravel().tolist(),
            "leaveOneOut": [int(label) for label in leave_one_out],
        }
    return {
        "known": known.ravel().tolist(),
        "labels": labels.tolist(),
        "queries": queries.ravel().tolist(),
        "dimensions": dimensions,
        "classCount": class_count,
        "byK": answers,
    }


def paired(rows):
    """Two classifiers that mostly agree, .06 apart."""
    a = (random.random(rows) < 0.85).astype(int)
    b = np.where(random.random(rows) < 0.1, 0, a)
    interval = bootstrap(
        (a, b),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        vectorized=True,
        n_resamples=50_000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    return {"a": a.tolist(), "b": b.tolist(), "low": interval.low, "high": interval.high}


cases = [
    {"of": "classification", **classification(200, 4, missing=2)},
    {"of": "classification", **classification(150, 3, missing=0)},
    {"of": "ranking", **ranking(300)},
    {"of": "regression", **regression(50)},
    {"of": "neighbours", **neighbours(120, 40, 8, 5)},
    {"of": "paired", **paired(500)},
]
with open(sys.argv[1], "w") as file:
    file.writelines(json.dumps(case) + "\n" for case in cases)
