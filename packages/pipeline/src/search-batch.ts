import { fail, MedleyError, type Result, succeed } from "@medley/core";
import { hitsDefault, hitsMax } from "./query.ts";

/** What became of one of many. */
export type Batched<Value> = Result<Value, MedleyError>;

export const searchesPerBatch = 100;
/** Of all searches of a batch together: what they find is held until the last has ended. */
export const hitsPerBatch = 10_000;
/** Of one batch, so that it does not take all of the store's connections. */
const searchesInFlightMax = 4;

/**
 * Answers many searches, each as if it were alone: one that fails is a failure in its place. All begin at once, so that their texts meet
 * in the batches of the encoders; `search`, which `answer` is given, runs a few times at once. Throws `query_invalid` for more than
 * 100 searches or 10,000 hits, and what is no `MedleyError`.
 */
export async function inBatch<Asked, Query, Found, Answer>(
  asked: readonly Asked[],
  search: (query: Query) => Promise<Found>,
  answer: (one: Asked, search: (query: Query) => Promise<Found>) => Promise<Answer>,
): Promise<readonly Batched<Answer>[]> {
  const hits = asked.reduce((sum: number, one) => sum + hitsOf(one), 0);
  if (asked.length > searchesPerBatch || hits > hitsPerBatch) {
    throw new MedleyError(
      "query_invalid",
      `a batch of ${asked.length} searches for ${hits} hits is too large`,
      {
        mend: `send at most ${searchesPerBatch} searches at once, for at most ${hitsPerBatch} hits (k) together`,
      },
    );
  }
  const inTurn = atMost(searchesInFlightMax, search);
  return Promise.all(
    asked.map((one) =>
      answer(one, inTurn).then(succeed, (error: unknown) => {
        if (error instanceof MedleyError) return fail(error);
        throw error;
      }),
    ),
  );
}

/** As it says; none where it may not have so many, which is for its answer to tell. */
export function hitsOf(asked: unknown): number {
  const k = (asked as { k?: unknown } | null)?.k;
  if (typeof k !== "number") return hitsDefault;
  return k >= 1 && k <= hitsMax ? k : 0;
}

/** The same function, of whose calls at most so many run at once; the others wait in order. */
function atMost<Input, Output>(
  inFlightMax: number,
  run: (input: Input) => Promise<Output>,
): (input: Input) => Promise<Output> {
  const waiting: (() => void)[] = [];
  let inFlight = 0;
  return async (input) => {
    if (inFlight < inFlightMax) inFlight += 1;
    else await new Promise<void>((enter) => waiting.push(enter));
    try {
      return await run(input);
    } finally {
      const next = waiting.shift();
      if (next === undefined) inFlight -= 1;
      else next();
    }
  };
}
