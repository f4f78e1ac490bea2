import { strict as assert } from "node:assert";
import { MedleyError, Random } from "@medley/core";
import {
  countTerms,
  isNgramRange,
  type NgramRange,
  termsFile,
  termWeight,
  type WordsValue,
} from "@medley/models";
import { bagModel } from "../bag-model.ts";
import { FrequentNames } from "../frequent-names.ts";
import { type SparseMatrix, SparseRows } from "../linear-algebra/matrix.ts";
import { type TruncatedSvd, truncatedSvd } from "../linear-algebra/truncated-svd.ts";
import type { TrainingOptions } from "../progress.ts";
import { sampleItems } from "../reservoir.ts";
import type { TrainedModel } from "../trained-model.ts";

export interface WordsOptions extends TrainingOptions {
  /** Of the vector, 1 to `vocabularyMax`. Those beyond what the texts can fill stay 0. */
  readonly dimensions: number;
  /** Fewest and most words of a term. Default [1, 2]. */
  readonly ngrams?: NgramRange;
  /** Default 50,000. The artefact holds 4 bytes for each of them and each dimension. */
  readonly vocabularyMax?: number;
  /** In how many texts a term has to be. Default 2. */
  readonly termTextsMin?: number;
  /** Of more texts a random sample is trained on. Default 100,000. */
  readonly textsMax?: number;
}

/**
 * Latent semantic analysis (Deerwester et al., "Indexing by latent semantic analysis", 1990): texts as TF-IDF rows of word
 * n-grams, times the right singular vectors of those rows. TF-IDF as scikit-learn weighs it with `sublinear_tf`: (1 + ln
 * count) (1 + ln((1 + texts) / (1 + texts with the term))), rows of unit length. A text's vector does not depend on the order
 * of its terms, nor on texts beside it; a text without any known term has none.
 *
 * Texts are read once. Throws `MedleyError` `training_data_invalid` where no term is in `termTextsMin` texts. After
 * `signal` the texts read by then are enough, and the subspace as it is then.
 */
export async function trainWords(
  texts: Iterable<WordsValue> | AsyncIterable<WordsValue>,
  options: WordsOptions,
): Promise<TrainedModel> {
  const {
    dimensions,
    ngrams = [1, 2],
    vocabularyMax = 50_000,
    termTextsMin = 2,
    textsMax = 100_000,
  } = options;
  assert(Number.isInteger(vocabularyMax) && vocabularyMax > 0, "vocabularyMax is a number above 0");
  assert(Number.isInteger(dimensions) && dimensions > 0 && dimensions <= vocabularyMax, "1 to vocabularyMax");
  assert(isNgramRange(ngrams), "a range of n-grams");
  const random = new Random(options.seed);
  const { signal } = options;
  const sample = await sampleItems(texts, { itemsMax: textsMax, random: random.fork(), signal });
  const frequent = new FrequentNames({ namesMax: vocabularyMax });
  for (const text of sample) frequent.add(countTerms(text, ngrams).keys());
  const { names: terms, counts } = frequent.top(termTextsMin);
  if (terms.length === 0) throw tooFewTexts(sample.length, termTextsMin);
  const idf = Float64Array.from(counts, (count) => 1 + Math.log((1 + sample.length) / (1 + count)));
  const svd = await truncatedSvd(tfIdf(sample, terms, idf, ngrams), {
    rank: dimensions,
    random: random.fork(),
    signal,
    onPass: (done, total) => options.onProgress?.({ stage: "singular vectors", done, total, unit: "passes" }),
  });
  return {
    manifest: { kind: "words", dimensions, ngrams },
    files: new Map([
      ["model.onnx", bagModel(tableOf(svd, idf), dimensions)],
      [termsFile, new TextEncoder().encode(JSON.stringify(terms))],
    ]),
    metrics: {
      "train/texts": sample.length,
      "train/terms": terms.length,
      "train/energy": svd.energy,
    },
    curves: [
      {
        name: "train/singular-value",
        points: Array.from(svd.singularValues, (value, index) => ({ step: index + 1, value })),
      },
    ],
  };
}

/** [texts, terms], rows of unit length; one of a text without known terms is empty. */
function tfIdf(
  texts: readonly WordsValue[],
  terms: readonly string[],
  idf: Float64Array,
  ngrams: NgramRange,
): SparseMatrix {
  const columns = new Map(terms.map((term, column) => [term, column]));
  const rows = new SparseRows(terms.length);
  for (const text of texts) {
    const entries: [number, number][] = [];
    let squares = 0;
    for (const [term, count] of countTerms(text, ngrams)) {
      const column = columns.get(term);
      if (column === undefined) continue;
      const weight = termWeight(count) * (idf[column] as number);
      squares += weight * weight;
      entries.push([column, weight]);
    }
    const scale = 1 / Math.sqrt(squares);
    rows.add(entries.map(([column, weight]) => [column, weight * scale]));
  }
  return rows.matrix();
}

/** [terms, dimensions]: the singular vectors, times the inverse document frequencies that a bag's weights lack. */
function tableOf({ right: { rows, columns, values } }: TruncatedSvd, idf: Float64Array): Float32Array {
  const table = Float32Array.from(values);
  for (let term = 0; term < rows; term += 1) {
    const factor = idf[term] as number;
    for (let at = term * columns; at < (term + 1) * columns; at += 1)
      table[at] = (values[at] as number) * factor;
  }
  return table;
}

function tooFewTexts(textsCount: number, termTextsMin: number): MedleyError {
  return new MedleyError(
    "training_data_invalid",
    `no word is in ${termTextsMin} of the ${textsCount} texts that the space could be trained on`,
    { mend: "load more records with that field before the training" },
  );
}
