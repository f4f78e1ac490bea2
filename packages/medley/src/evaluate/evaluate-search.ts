import type { Collection } from "@medley/core";
import { type Query, querySegments } from "@medley/pipeline";
import { type BootstrapInterval, pairedBootstrap } from "@medley/training";
import type { Deployment } from "../deployment/deployment.ts";
import { type JudgedQuery, partFor } from "./judged-query.ts";
import { ndcgAtK, recallAtK, reciprocalRankAtK } from "./ranking-metrics.ts";

export interface RankedHit {
  readonly id: string;
  readonly score: number;
}

/** Hits by query, in the queries' order; best first. */
type Ranking = readonly (readonly RankedHit[])[];

export interface Weighting {
  /** `all`, `only plot`, `without plot`. */
  readonly name: string;
  readonly weights: Readonly<Record<string, number>>;
}

/** A weighting and how good it is: means over the queries. */
export interface EvaluatedWeighting extends Weighting {
  readonly ndcg10: number;
  readonly recall10: number;
  /** Among the k that were asked for. */
  readonly recallK: number;
  readonly mrr10: number;
  /** Of nDCG@10 to that of `all`, with the 95% interval of a paired bootstrap; null of `all` itself. */
  readonly toAll: BootstrapInterval | null;
  readonly ranking: Ranking;
}

export interface EvaluateOptions {
  readonly deployment: Deployment;
  readonly collection: string;
  readonly queries: readonly JudgedQuery[];
  /** By space; the collection's where not given. */
  readonly weights: Readonly<Record<string, number>>;
  readonly k: number;
  readonly signal: AbortSignal;
  /** Told after each query. */
  readonly onProgress: (queriesDone: number) => void;
}

const searchesInFlightMax = 4;
const bootstrapSeed = 1;

/**
 * Searches every query by all spaces that queries speak of and whose weight is not 0, then by each alone and by all but each. A query's words go to every space
 * that reads texts, its `parts` to theirs. A record with the query's own id does not count, as in BEIR.
 */
export async function evaluateSearch(options: EvaluateOptions): Promise<readonly EvaluatedWeighting[]> {
  const { deployment, collection: name, queries, k } = options;
  const { collection } = deployment.collection(name);
  const weights = { ...collection.weights, ...options.weights };
  const asked = spacesAsked(collection, queries).filter((space) => weights[space] !== 0);
  const weightings = weightingsOf(weights, asked);
  const rankings = await rankAll(options, weightings);
  const gains = rankings.map((ranking) => perQuery(queries, ranking, { metric: ndcgAtK, k: 10 }));
  return weightings.map((weighting, at) => {
    const ranking = rankings[at] as Ranking;
    const gain = gains[at] as readonly number[];
    const isAll = at === 0;
    return {
      ...weighting,
      ndcg10: mean(gain),
      recall10: mean(perQuery(queries, ranking, { metric: recallAtK, k: 10 })),
      recallK: mean(perQuery(queries, ranking, { metric: recallAtK, k })),
      mrr10: mean(perQuery(queries, ranking, { metric: reciprocalRankAtK, k: 10 })),
      toAll: isAll ? null : pairedBootstrap(gain, gains[0] as readonly number[], { seed: bootstrapSeed }),
      ranking,
    };
  });
}

/** Each query is encoded once. A ranking per weighting. */
async function rankAll(
  { deployment, collection, queries, k, signal, onProgress }: EvaluateOptions,
  weightings: readonly Weighting[],
): Promise<readonly Ranking[]> {
  const opened = deployment.collection(collection);
  const rankings = weightings.map(() => new Array<readonly RankedHit[]>(queries.length).fill([]));
  let [next, done] = [0, 0];
  const lane = async () => {
    while (next < queries.length) {
      const at = next++;
      const query = queries[at] as JudgedQuery;
      const parts = partsOf(opened.collection, query);
      const encoded = await querySegments(opened, { parts, k: k + 1 }, { signal });
      for (const [index, { weights }] of weightings.entries()) {
        signal.throwIfAborted();
        const hits = await searchEncoded(deployment, collection, { ...encoded, weights });
        const others = hits.filter(({ id }) => id !== query.id).slice(0, k);
        (rankings[index] as RankedHit[][])[at] = others.map(({ id, score }) => ({ id, score }));
      }
      done += 1;
      onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: searchesInFlightMax }, lane));
  return rankings;
}

/** Nothing where the query says nothing of the spaces that count. */
async function searchEncoded(
  deployment: Deployment,
  collection: string,
  query: Query & Pick<Required<Query>, "weights">,
): Promise<readonly RankedHit[]> {
  const says = Object.keys(query.segments).some((space) => query.weights[space] !== 0);
  return says ? deployment.searchEncoded(collection, query) : [];
}

function partsOf({ spaces }: Collection, query: JudgedQuery): Readonly<Record<string, unknown>> {
  const said = spaces.map((space) => [space.name, partFor(space, query)] as const);
  return { ...Object.fromEntries(said.filter(([, part]) => part !== undefined)), ...query.parts };
}

function spacesAsked(collection: Collection, queries: readonly JudgedQuery[]): readonly string[] {
  const asked = new Set(queries.flatMap((query) => Object.keys(partsOf(collection, query))));
  return collection.spaces.map(({ name }) => name).filter((name) => asked.has(name));
}

/** All first; of a single space there is nothing to leave out. */
function weightingsOf(all: Readonly<Record<string, number>>, asked: readonly string[]): readonly Weighting[] {
  const zeroed = (isZero: (space: string) => boolean) =>
    Object.fromEntries(Object.entries(all).map(([space, weight]) => [space, isZero(space) ? 0 : weight]));
  const ablations = asked.flatMap((space) => [
    { name: `only ${space}`, weights: zeroed((other) => other !== space) },
    { name: `without ${space}`, weights: zeroed((other) => other === space) },
  ]);
  return [{ name: "all", weights: all }, ...(asked.length < 2 ? [] : ablations)];
}

function perQuery(
  queries: readonly JudgedQuery[],
  ranking: Ranking,
  { metric, k }: { readonly metric: typeof ndcgAtK; readonly k: number },
): readonly number[] {
  return queries.map(({ grades }, at) =>
    metric(
      (ranking[at] ?? []).map(({ id }) => id),
      grades,
      { k },
    ),
  );
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
