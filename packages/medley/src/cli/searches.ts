import { MedleyError, type SearchQuery } from "@medley/core";
import { parseBatchedQuery, type SearchFailure, searchFailureOf } from "@medley/http";
import {
  type Batched,
  type CollectionEncoders,
  hitsOf,
  hitsPerBatch,
  type SearchPage,
  searchesPerBatch,
} from "@medley/pipeline";
import { openSource, type SourceItem } from "@medley/sources";
import type { Hit } from "@medley/store";
import type { Deployment } from "../deployment/deployment.ts";
import { type Context, openHere } from "./context.ts";
import type { Outcome } from "./output.ts";
import { Progress } from "./progress.ts";
import { hitTable } from "./search.ts";

/** Of one file: what they find is held until the last has ended. */
const searchesMax = 10_000;

/** A search's place in the file, with what it would give alone. */
type Answered = { readonly source: string } & (SearchPage<Hit> | SearchFailure);

/** `medley searches COLLECTION FILE`: the searches of a file, a line each, as `POST …/searches` takes them. */
export async function searchesCommand(context: Context, collection: string, path: string): Promise<Outcome> {
  await using deployment = await openHere(context, true);
  const opened = deployment.collection(collection);
  const source = await openSource(path);
  if (source.textual) {
    throw new MedleyError(
      "usage",
      `${source.name} holds no searches: they are objects, such as {"parts": {…}}`,
      {
        mend: "write them as JSON Lines, one search per line",
      },
    );
  }
  const total = await source.total();
  checkCount(source.name, total ?? 0);
  const bar = new Progress(`${collection} searches`, { unit: "searches" });
  const results: Answered[] = [];
  try {
    for await (const batch of batchesOf(source.records())) {
      if (context.signal.aborted) break;
      results.push(...(await answersOf(deployment, opened, batch, context.signal)));
      bar.update({ done: results.length, total: total ?? results.length });
      checkCount(source.name, results.length);
    }
  } catch (error) {
    // Cut off in the middle, a batch gives nothing; those before it were answered.
    if (!context.signal.aborted) throw error;
  } finally {
    bar.stop();
  }
  const exitCode = context.signal.aborted ? 130 : results.some((one) => "error" in one) ? 1 : 0;
  return { exitCode, data: { collection, results }, text: results.map(described).join("\n\n") };
}

/** Of a file before its first search, of stdin as it comes. */
function checkCount(name: string, count: number): void {
  if (count <= searchesMax) return;
  throw new MedleyError("usage", `${name} has more than ${searchesMax} searches`, { mend: "split the file" });
}

/** As many searches as go at once. */
async function* batchesOf(items: AsyncIterable<SourceItem>): AsyncGenerator<readonly SourceItem[]> {
  let batch: SourceItem[] = [];
  let hits = 0;
  for await (const item of items) {
    const own = item.ok ? hitsOf(item.value) : 0;
    if (batch.length === searchesPerBatch || (batch.length > 0 && hits + own > hitsPerBatch)) {
      yield batch;
      [batch, hits] = [[], 0];
    }
    batch.push(item);
    hits += own;
  }
  if (batch.length > 0) yield batch;
}

async function answersOf(
  deployment: Deployment,
  opened: CollectionEncoders,
  items: readonly SourceItem[],
  signal: AbortSignal,
): Promise<readonly Answered[]> {
  const asked = items.map((item) => ({ source: item.source, query: queryOf(opened, item) }));
  const queries = asked.flatMap(({ query }) => (query instanceof MedleyError ? [] : [query]));
  const answers = await deployment.searchAll(opened.collection.name, queries, signal);
  const inOrder = answers[Symbol.iterator]();
  return asked.map(({ source, query }) => {
    if (query instanceof MedleyError) return { source, ...searchFailureOf(query) };
    const answer = inOrder.next().value as Batched<SearchPage<Hit>>;
    return { source, ...(answer.ok ? answer.value : searchFailureOf(answer.failure)) };
  });
}

function queryOf(opened: CollectionEncoders, item: SourceItem): SearchQuery | MedleyError {
  if (!item.ok) return new MedleyError(item.code, item.reason);
  try {
    return parseBatchedQuery(opened, item.value);
  } catch (error) {
    if (error instanceof MedleyError) return error;
    throw error;
  }
}

function described(answered: Answered): string {
  if (!("error" in answered)) return `${answered.source}\n${hitTable(answered.hits, [])}`;
  const { code, message, mend } = answered.error;
  return `${answered.source}\n${message} [${code}]${mend === undefined ? "" : `\n  ${mend}`}`;
}
