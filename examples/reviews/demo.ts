import { strict as assert } from "node:assert";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadRecords, openExample, readSegments, trainSpace, writeRecords } from "@medley/example-steps";
import {
  type ClassReport,
  classReport,
  fitLogisticRegression,
  type LogisticRegression,
  type VectorTable,
} from "@medley/training";
import { drawReviews, findReviews, labels } from "./review-files.ts";

// Whether a film review is good or bad, told from its words, from what a pre-trained model makes of it, and from the same model
// with its last two blocks tuned. On each space's segments a regression is fitted; `choosing` rows, which no training sees, say how
// much it is regularised and what each space counts when they are fused. Then the held-out reviews are asked about, once.
const here = fileURLToPath(new URL(".", import.meta.url));
const say = (text: string) => process.stdout.write(`${text}\n`);
const counts = { known: 1_200, choosing: 300, heldOut: 800 };
const seed = 1;
const spaces = ["words", "meaning", "tuned"] as const;
type Space = (typeof spaces)[number];
const titles: Record<Space, string> = {
  words: "words (256 dimensions)",
  meaning: "text model as it is",
  tuned: "text model, last two blocks tuned",
};
const penalties = [1e-5, 1e-4, 1e-3, 1e-2];
const classCount = labels.length;

interface Part {
  readonly tables: Readonly<Record<Space, VectorTable>>;
  readonly truth: readonly number[];
}

/** Log-odds of "pos", from the inner product with one vector: a regression's weights are a query. */
function logOdds(model: LogisticRegression, { values, dimensions }: VectorTable): Float64Array {
  return Float64Array.from({ length: values.length / dimensions }, (_, row) => {
    const [no, yes] = model.probabilities(values.subarray(row * dimensions, (row + 1) * dimensions));
    return Math.log(yes as number) - Math.log(no as number);
  });
}

/** Fitted on the known rows; of the penalties the one by which most of the choosing rows are right. */
function fitSpace(space: Space, known: Part, choosing: Part): LogisticRegression {
  const { values, dimensions } = known.tables[space];
  const fitted = penalties.map((l2) =>
    fitLogisticRegression({ values, columns: dimensions }, known.truth, { classCount, l2 }),
  );
  const accuracies = fitted.map((model) => report(logOdds(model, choosing.tables[space]), choosing).accuracy);
  return fitted[accuracies.indexOf(Math.max(...accuracies))] as LogisticRegression;
}

function report(odds: Float64Array, { truth }: Part): ClassReport {
  return classReport(
    truth,
    Array.from(odds, (value) => (value > 0 ? 1 : 0)),
    { classCount },
  );
}

/** Several spaces' log-odds side by side, weighed by a regression on the choosing rows. */
function fuse(
  chosen: readonly Space[],
  odds: (space: Space, part: Part) => Float64Array,
  parts: { choosing: Part; heldOut: Part },
) {
  const columns = chosen.length;
  const rowsOf = (part: Part) => {
    const each = chosen.map((space) => odds(space, part));
    return Float64Array.from(
      { length: part.truth.length * columns },
      (_, at) => each[at % columns]?.[Math.floor(at / columns)] as number,
    );
  };
  const fusion = fitLogisticRegression({ values: rowsOf(parts.choosing), columns }, parts.choosing.truth, {
    classCount,
    l2: 1e-3,
  });
  const rows = rowsOf(parts.heldOut);
  const guesses = parts.heldOut.truth.map((_, row) =>
    fusion.predict(rows.subarray(row * columns, (row + 1) * columns)),
  );
  return classReport(parts.heldOut.truth, guesses, { classCount });
}

async function readPart(connectionString: string, part: string): Promise<Part> {
  const query = { collection: "reviews", spaces, fields: ["label"], part };
  const { tables, rows } = await readSegments(connectionString, query);
  return { tables, truth: rows.map(({ label }) => labels.indexOf(label as (typeof labels)[number])) };
}

function tell(title: string, { accuracy, macroF1 }: ClassReport): number {
  say(`   ${title.padEnd(36)} ${accuracy.toFixed(3)}     ${macroF1.toFixed(3)}`);
  return accuracy;
}

async function evaluate(connectionString: string): Promise<void> {
  const [known, choosing, heldOut] = [
    await readPart(connectionString, "known"),
    await readPart(connectionString, "choosing"),
    await readPart(connectionString, "held out"),
  ];
  const models = new Map(spaces.map((space) => [space, fitSpace(space, known, choosing)]));
  const odds = (space: Space, part: Part) =>
    logOdds(models.get(space) as LogisticRegression, part.tables[space]);
  say("                                        accuracy  macro-F1");
  const alone = spaces.map((space) => tell(titles[space], report(odds(space, heldOut), heldOut)));
  tell("words and text model as it is", fuse(["words", "meaning"], odds, { choosing, heldOut }));
  const all = tell("all three", fuse(spaces, odds, { choosing, heldOut }));
  assert(all > Math.max(...alone) - 0.01, "the fusion is no worse than its best part");
}

async function main(): Promise<void> {
  const shared = process.env.MEDLEY_SHARED_DATA ?? join(here, "../../../shared/data");
  const [, , given] = process.argv;
  const folder = findReviews(given === undefined ? [join(here, "aclImdb"), join(shared, "imdb")] : [given]);
  rmSync(join(here, ".medley"), { recursive: true, force: true });
  const trained = drawReviews(folder, "train", { count: counts.known + counts.choosing, seed });
  const asked = drawReviews(folder, "test", { count: counts.heldOut, seed });
  const known = trained.slice(0, counts.known);
  const rows = [
    ...trained.map((review, at) => ({ ...review, part: at < counts.known ? "known" : "choosing" })),
    ...asked.map((review) => ({ ...review, part: "held out" })),
  ];
  say(`1. Words and the text model's last blocks learn from ${known.length} reviews`);
  const from = writeRecords(here, "known.jsonl", known);
  trainSpace(here, "reviews.words", { from });
  trainSpace(here, "reviews.tuned", { from, settings: { epochs: 3, tokensMax: 128 } });
  say(`\n2. ${rows.length} reviews become one vector each, by two text models: most of the time goes here`);
  await using deployment = await openExample(here);
  const path = writeRecords(here, "reviews.jsonl", rows);
  await loadRecords(deployment, { collection: "reviews", path, count: rows.length });
  say(`\n3. ${asked.length} held-out reviews, good or bad`);
  await evaluate(deployment.database.connectionString);
}

await main();
