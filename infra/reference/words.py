"""What scikit-learn makes of a few texts: TF-IDF rows and their exact singular value decomposition, for the tests of words.

    pip install scikit-learn==1.9.1 numpy==2.4.6
    python infra/reference/words.py > packages/training/src/words/reference.json
"""

import json

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

TEXTS = [
    "The old ship sails at dawn, and the crew sings.",
    "A crew of old friends sails the ship to the island.",
    "The island has a volcano; the volcano sleeps, the volcano sleeps.",
    "Dawn over the volcano: smoke, ash, smoke, ash and smoke.",
    "The detective finds a letter in the old house.",
    "A letter, an old detective and a house with no door.",
    "The door of the house opens at dawn.",
    "Friends sing in the house at dawn.",
]

vectoriser = TfidfVectorizer(token_pattern=r"(?u)\b\w+\b", ngram_range=(1, 2), sublinear_tf=True, min_df=2)
rows = vectoriser.fit_transform(TEXTS).toarray()
_, singular_values, right = np.linalg.svd(rows, full_matrices=False)
vectors = rows @ right[:3].T
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
reference = {
    "texts": TEXTS,
    "terms": vectoriser.get_feature_names_out().tolist(),
    "rows": rows.round(8).tolist(),
    "singularValues": singular_values.round(8).tolist(),
    # Of the texts in the space of the first three singular vectors.
    "cosines": (vectors @ vectors.T).round(8).tolist(),
}
print(json.dumps(reference))
