import { Random } from "@medley/core";
import { expect, test } from "vitest";
import { assignTask } from "./assign-task.ts";
import { cheap, classesOf, contender, dear, splitOf } from "./contenders.fixture.ts";
import { type QueryRow, rankingJudge } from "./ranking-judge.ts";

const records = 400;
const queryCount = 80;

/** Records of 40 topics, and queries that ask for one: relevant is every record of the topic. */
function searched({ seed, isShuffled = false }: { readonly seed: number; readonly isShuffled?: boolean }) {
  const topics = classesOf(records + queryCount, 40, seed);
  const asked = topics.slice(records);
  if (isShuffled) new Random(seed).shuffle(asked);
  const queries = asked.map((topic, at): QueryRow => {
    const grades = topics
      .slice(0, records)
      .flatMap((one, row): [number, number][] => (one === topic ? [[row, 1]] : []));
    return { row: records + at, self: null, class: null, grades: new Map(grades) };
  });
  const task = { name: "search", kind: "retrieval", queries } as const;
  const space = (name: string, signal: number, cost = cheap) =>
    contender({ space: name, candidate: `signal ${signal}`, cost }, topics, {
      signal,
      seed: seed + signal,
      dimensions: 40,
    });
  return { task, space };
}

test("nDCG@10 as by hand, without the query's own record", () => {
  const grades = new Map([
    [3, 2],
    [1, 1],
    [4, 0],
  ]);
  const judge = rankingJudge([{ row: 20, self: 0, class: null, grades }], 20);
  expect(judge.ks).toEqual([11]);
  const rows = Int32Array.of(0, 4, 3, 5, 1, 6, 7, 8, 9, 10, 11);
  const [answer] = judge.answers({ rows, cosines: new Float64Array(11), k: 11 }, [11]);
  const ideal = 2 + 1 / Math.log2(3);
  expect(answer?.score(0, 0)).toBeCloseTo((2 / Math.log2(3) + 1 / Math.log2(5)) / ideal, 12);
  expect(judge.baseline.score(0, 0)).toBe(0);
  expect([judge.worth(3, 0), judge.worth(4, 0), judge.worth(5, 0)]).toEqual([2, 0, 0]);
});

test("a dear candidate is chosen where the cheap one finds less, a silent space gets less weight, the test confirms", () => {
  const { task, space } = searched({ seed: 1 });
  const report = assignTask(
    [space("plot", 2), space("plot", 6, dear), space("title", 0)],
    { task, split: splitOf(records) },
    { seed: 1 },
  );
  expect(report.rows).toEqual({ train: records, validation: 40, test: 40 });
  const [plot, title] = report.spaces;
  expect(plot?.verdict).toBe("best");
  expect(plot?.decision.arms[plot.decision.chosen]?.parts[0]?.candidate).toBe("signal 6");
  expect(plot?.decision.test.isConfirmed).toBe(true);
  expect(title?.verdict).toBe("no_evidence");
  expect(report.weights?.isUsed).toBe(true);
  const [telling, silent] = report.weights?.weights ?? [];
  expect(silent?.high).toBeLessThan(telling?.low as number);
});

test("where relevant is what was asked by others nothing is chosen: at most 1 of 10 finds evidence", () => {
  const found = Array.from({ length: 10 }, (_, at) => {
    const { task, space } = searched({ seed: at + 1, isShuffled: true });
    return assignTask([space("plot", 4)], { task, split: splitOf(records) }, { seed: at + 1 }).hasEvidence;
  });
  expect(found.filter(Boolean).length).toBeLessThanOrEqual(1);
});

test("too few queries are refused with their number", () => {
  const { task, space } = searched({ seed: 1 });
  const few = { ...task, queries: task.queries.slice(0, 19) };
  expect(() => assignTask([space("plot", 4)], { task: few, split: splitOf(records) }, { seed: 1 })).toThrow(
    /task search: 19 of its queries .* at least 20 are needed/,
  );
});
