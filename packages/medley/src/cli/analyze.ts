import { analyzeSearch, type SearchAnalysis } from "@medley/store";
import { namedCollection, openDatabaseHere } from "./collection-index.ts";
import type { Context } from "./context.ts";
import type { Outcome } from "./output.ts";
import { count, duration, Progress } from "./progress.ts";

export interface AnalyzeArguments {
  /** Default: every collection that has an index. */
  readonly collection: string | undefined;
  readonly seconds?: number;
}

/** `medley analyze`: learns how searches of a collection find their rows at any weights, as the role that owns the table. */
export async function analyzeCommand(context: Context, given: AnalyzeArguments): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const { connectionString, collections: all } = await openDatabaseHere(context, resources);
  const indexed = all.filter(({ index }) => index === "ready" || index === "partial");
  const chosen = given.collection === undefined ? indexed : namedCollection(all, given.collection);
  const analyses: Record<string, SearchAnalysis> = {};
  const lines: string[] = [];
  for (const { collection } of chosen) {
    const analysis = await analyzeWithProgress(connectionString, collection, context, given);
    if (context.signal.aborted) {
      lines.push(`${collection}: interrupted; what was learned before stays`);
      return { exitCode: 130, data: { analyses }, text: lines.join("\n") };
    }
    if (analysis === null) lines.push(`${collection}: has no index to choose from, so searches scan exactly`);
    else {
      analyses[collection] = analysis;
      lines.push(described(collection, analysis));
    }
  }
  if (chosen.length === 0) lines.push("no collection has an index, so searches scan exactly: medley index");
  return { exitCode: 0, data: { analyses }, text: lines.join("\n") };
}

async function analyzeWithProgress(
  connectionString: string,
  collection: string,
  { signal }: Context,
  { seconds }: AnalyzeArguments,
): Promise<SearchAnalysis | null> {
  const bar = new Progress(`${collection} searches`, { unit: "queries" });
  try {
    return await analyzeSearch(connectionString, collection, {
      ...(seconds === undefined ? {} : { secondsMax: seconds }),
      signal,
      onProgress: (progress) => bar.update(progress),
    });
  } finally {
    bar.stop();
  }
}

function described(collection: string, analysis: SearchAnalysis): string {
  const { rows, queries, weightings, plans, scanning, exactMs, seconds } = analysis;
  const scans = scanning === 0 ? "" : `; at ${scanning} of the weightings only a scan finds enough`;
  return (
    `${collection}: ${plans} plans learned from ${queries} queries at ${weightings} weightings over ${count(rows)} rows in ` +
    `${duration(seconds)}; an exact scan takes ${exactMs.toFixed(1)} ms${scans}`
  );
}
