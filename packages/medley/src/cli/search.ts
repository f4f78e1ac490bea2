import { type LabelColumns, labelColumnsOf } from "@medley/core";
import { saidBefore, type Understood } from "@medley/pipeline";
import type { Hit, SearchPlan } from "@medley/store";
import { type Context, openHere } from "./context.ts";
import { type Outcome, table } from "./output.ts";
import { count } from "./progress.ts";
import { type SearchArguments, searchQueryOf } from "./query-options.ts";

/** `medley search COLLECTION --space value … --weight space=2 --explain`. */
export async function searchCommand(
  context: Context,
  collection: string,
  given: SearchArguments & { explain?: boolean; ask?: string },
): Promise<Outcome> {
  await using deployment = await openHere(context, true);
  const opened = deployment.collection(collection);
  const said = searchQueryOf(opened, given);
  const understood =
    given.ask === undefined
      ? null
      : await deployment.understand(opened.collection, given.ask, context.signal);
  const query = understood === null ? said : saidBefore(understood.query, said);
  const { hits, cursor } = await deployment.searchPage(collection, query, context.signal);
  const plan = given.explain ? await deployment.explainSearch(collection, query, context.signal) : null;
  const terms = [...opened.layout.map((segment) => segment.space), ...Object.keys(query.texts ?? {})];
  const text = [
    ...(understood === null ? [] : [told(understood)]),
    hitTable(hits, plan === null ? [] : terms, labelColumnsOf(opened.collection)),
    ...(plan === null ? [] : [planText(plan)]),
  ].join("\n\n");
  const more = { ...(understood === null ? {} : { understood }), ...(plan === null ? {} : { plan }) };
  return { exitCode: 0, data: { collection, hits, cursor, ...more }, text };
}

/** What a sentence was taken to mean, for whoever wrote it. */
function told({ query, by, notes }: Understood): string {
  const reader = by === "model" ? "the chat model" : "rules";
  return [`read by ${reader}: ${JSON.stringify(query)}`, ...notes.map((note) => `  ${note}`)].join("\n");
}

/** `reads all spaces to 100, plot to 40: recall 0.976, 3.1 ms expected`. */
export function planText(plan: SearchPlan): string {
  const cost = `${plan.estimatedMs.toFixed(1)} ms expected`;
  const texts = plan.paths.filter(({ kind }) => kind === "words");
  const ranked = texts
    .map(({ path, depth }) => `; ranks about ${count(depth)} rows that match ${path}`)
    .join("");
  if (plan.method === "exact") return `scans ${count(plan.rows)} rows exactly: ${cost}${ranked}`;
  const paths = plan.paths
    .filter((path) => !texts.includes(path))
    .map(({ path, depth }) => `${path} to ${count(depth)}`)
    .join(", ");
  if (plan.estimatedRecall === null) return `reads ${paths}: not learned, run medley analyze${ranked}`;
  return `reads ${paths}: recall ${plan.estimatedRecall.toFixed(3)}, ${cost}${ranked}`;
}

const titleCharsMax = 48;

/** Hits as a table, with what tuned spaces tell of them, and what each of the named `terms`, spaces and texts, adds to the score. */
export function hitTable(
  hits: readonly Hit[],
  terms: readonly string[],
  labels: readonly LabelColumns[] = [],
): string {
  if (hits.length === 0) return "no row matches";
  const textField = Object.keys(hits[0]?.fields ?? {}).find(
    (name) => typeof hits[0]?.fields[name] === "string" && !labels.some(({ label }) => label === name),
  );
  const rows = hits.map((hit, index) => [
    index + 1,
    cut(hit.id),
    ...(textField === undefined ? [] : [cut(String(hit.fields[textField] ?? ""))]),
    ...labels.flatMap((columns) => toldOf(hit, columns)),
    Number(hit.score.toFixed(3)).toFixed(3),
    ...terms.map((term) => (hit.contributions[term] ?? 0).toFixed(3)),
  ]);
  const told = labels.flatMap(({ label, probability }) => [label, probability]);
  const shown = textField === undefined ? [] : [textField];
  return table(["#", "id", ...shown, ...told, "score", ...terms], rows);
}

function toldOf({ fields }: Hit, { label, probability }: LabelColumns): readonly string[] {
  const sure = fields[probability];
  return [cut(String(fields[label] ?? "")), typeof sure === "number" ? sure.toFixed(3) : ""];
}

function cut(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > titleCharsMax ? `${line.slice(0, titleCharsMax - 1)}…` : line;
}
