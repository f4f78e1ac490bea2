import { type Collection, canonicalJson } from "@medley/core";
import { type Query, querySegments, weighedByClass } from "@medley/pipeline";
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

type Weights = Readonly<Record<string, number>>;

export interface Weighting {
  /** `all`, `only plot`, `without plot`, `without classes`. */
  readonly name: string;
  /** Of queries without a class; those of one weigh by it what was learned for it. */
  readonly weights: Weights;
}

/** A weighting, and what a query weighs in it. */
interface AskedWeighting extends Weighting {
  readonly of: (query: JudgedQuery) => Weights;
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
  /** By space; those of a query's class where not given, else the collection's. */
  readonly weights: Weights;
  readonly k: number;
  readonly signal: AbortSignal;
  /** Told after each query. */
  readonly onProgress: (queriesDone: number) => void;
}

const searchesInFlightMax = 4;
const bootstrapSeed = 1;

/**
 * Searches every query by all spaces that queries speak of and whose weight is not 0, then by each alone and by all but each; where classes of queries weigh
 * otherwise, also by what searches without a class do. A query's words go to every space that reads texts, its `parts` to theirs. A record with the query's own
 * id does not count, as in BEIR. A class that the collection does not know weighs as none does: see `unknownClasses`.
 */
export async function evaluateSearch(options: EvaluateOptions): Promise<readonly EvaluatedWeighting[]> {
  const { deployment, collection: name, queries, k } = options;
  const { collection } = deployment.collection(name);
  const weightings = weightingsOf(collection, queries, options.weights);
  const rankings = await rankAll(options, weightings);
  const gains = rankings.map((ranking) => perQuery(queries, ranking, { metric: ndcgAtK, k: 10 }));
  return weightings.map(({ name: named, weights }, at) => {
    const ranking = rankings[at] as Ranking;
    const gain = gains[at] as readonly number[];
    const isAll = at === 0;
    return {
      ...{ name: named, weights },
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
  weightings: readonly AskedWeighting[],
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
      for (const [index, { of }] of weightings.entries()) {
        signal.throwIfAborted();
        const hits = await searchEncoded(deployment, collection, { ...encoded, weights: of(query) });
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

/** Those of which the collection has not heard, in order. */
export function unknownClasses(
  { classes }: Pick<Collection, "classes">,
  queries: readonly Pick<JudgedQuery, "class">[],
): readonly string[] {
  const named = new Set(queries.map((query) => query.class).filter((name) => name !== null));
  return [...named].filter((name) => !Object.hasOwn(classes, name)).sort();
}

/** All first; of a single space there is nothing to leave out. */
function weightingsOf(
  collection: Collection,
  queries: readonly JudgedQuery[],
  given: Weights,
): readonly AskedWeighting[] {
  const shared = { ...collection.weights, ...given };
  const byClass = new Map(
    Object.keys(collection.classes).map((name) => {
      const { weights } = weighedByClass(collection, { class: name, weights: given });
      return [name, { ...shared, ...weights }] as const;
    }),
  );
  const of = (query: JudgedQuery) => byClass.get(query.class ?? "") ?? shared;
  const counting = new Set(
    queries.flatMap((query) =>
      Object.keys(partsOf(collection, query)).filter((space) => of(query)[space] !== 0),
    ),
  );
  const asked = collection.spaces.map(({ name }) => name).filter((name) => counting.has(name));
  const weighting = (name: string, isZero: (space: string) => boolean): AskedWeighting => {
    const zeroed = (all: Weights) =>
      Object.fromEntries(Object.entries(all).map(([space, weight]) => [space, isZero(space) ? 0 : weight]));
    return { name, weights: zeroed(shared), of: (query) => zeroed(of(query)) };
  };
  const ablations = asked.flatMap((space) => [
    weighting(`only ${space}`, (other) => other !== space),
    weighting(`without ${space}`, (other) => other === space),
  ]);
  const isClassed = [...byClass].some(
    ([name, own]) =>
      canonicalJson(own) !== canonicalJson(shared) && queries.some((query) => query.class === name),
  );
  return [
    weighting("all", () => false),
    ...(isClassed ? [{ name: "without classes", weights: shared, of: () => shared }] : []),
    ...(asked.length < 2 ? [] : ablations),
  ];
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
