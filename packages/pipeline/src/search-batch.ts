import { fail, MedleyError, type Result, succeed } from "@medley/core";

/** What became of one of many. */
export type Batched<Value> = Result<Value, MedleyError>;

export const batchSearchesMax = 100;
/** Of one batch, so that it does not take all of the store's connections. */
const searchesInFlightMax = 4;

/**
 * Answers many searches, each as if it were alone: one that fails is a failure in its place. All begin at once, so that their texts meet
 * in the batches of the encoders; `search`, which `answer` is given, runs a few times at once. Throws `query_invalid` for more than
 * `batchSearchesMax`, and what is no `MedleyError`.
 */
export async function inBatch<Asked, Query, Found, Answer>(
  asked: readonly Asked[],
  search: (query: Query) => Promise<Found>,
  answer: (one: Asked, search: (query: Query) => Promise<Found>) => Promise<Answer>,
): Promise<readonly Batched<Answer>[]> {
  if (asked.length > batchSearchesMax) {
    throw new MedleyError("query_invalid", `${asked.length} searches are too many for one batch`, {
      mend: `send at most ${batchSearchesMax} at once`,
    });
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
