"""Makes packages/medley/src/evaluate/reference.jsonl: what trec_eval says of seeded runs, a query a line.

    pip install pytrec-eval-terrier==0.5.11
    python infra/reference/retrieval.py packages/medley/src/evaluate/reference.jsonl
"""

import json
import random
import sys

import pytrec_eval

chance = random.Random(7)


def query(records, found, relevant):
    """Grades from -1 to 3 of some records; a run of others and of them, no two with the same score."""
    ids = [f"r{n}" for n in range(records)]
    grades = {name: chance.choice([-1, 0, 1, 2, 3]) for name in chance.sample(ids, relevant)}
    grades[chance.choice(ids)] = 1
    return grades, chance.sample(ids, found)


def evaluate(grades, ranked, measures):
    run = {name: float(len(ranked) - at) for at, name in enumerate(ranked)}
    return pytrec_eval.RelevanceEvaluator({"q": grades}, measures).evaluate({"q": run})["q"]


with open(sys.argv[1], "w") as file:
    for records, found, relevant in [(40, 30, 12), (40, 30, 3), (200, 100, 60), (200, 5, 20), (30, 30, 29), (300, 20, 2)]:
        grades, ranked = query(records, found, relevant)
        whole = evaluate(grades, ranked, {"ndcg_cut.10", "recall.10,20"})
        first = evaluate(grades, ranked[:10], {"recip_rank"})
        line = {
            "grades": grades,
            "ranked": ranked,
            "ndcg10": whole["ndcg_cut_10"],
            "recall10": whole["recall_10"],
            "recall20": whole["recall_20"],
            "reciprocalRank10": first["recip_rank"],
        }
        file.write(json.dumps(line) + "\n")
