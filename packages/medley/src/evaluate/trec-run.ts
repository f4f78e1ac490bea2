import { MedleyError } from "@medley/core";
import type { EvaluatedWeighting } from "./evaluate-search.ts";
import type { JudgedQuery } from "./judged-query.ts";

/** A ranking as trec_eval, pytrec_eval and ranx read it: `query Q0 record rank score name`, a hit a line. */
export function trecRun(
  queries: readonly JudgedQuery[],
  { ranking }: Pick<EvaluatedWeighting, "ranking">,
): string {
  return ranking
    .flatMap((hits, at) => {
      const query = wordOf((queries[at] as JudgedQuery).id);
      return hits.map(({ id, score }, rank) => `${query} Q0 ${wordOf(id)} ${rank + 1} ${score} medley\n`);
    })
    .join("");
}

function wordOf(id: string): string {
  if (!/\s/.test(id)) return id;
  throw new MedleyError(
    "usage",
    `the id "${id.slice(0, 60)}" has a blank, which parts columns in a TREC run`,
    {
      mend: "leave --run out, or give records and queries ids without blanks",
    },
  );
}
