import { expect, test } from "vitest";
import { type Contender, CosineTables, evenArm, singleArm } from "./arm.ts";
import { cheap, classesOf, contender } from "./contenders.fixture.ts";

const labels = classesOf(40, 4, 1);
const part = (from: number, to: number) => Int32Array.from({ length: to - from }, (_, at) => from + at);

test("vectors are read when they are asked for; cosines of as many contenders are kept as are summed", () => {
  const reads = new Map<string, number>();
  const [plot, cast, year] = ["plot", "cast", "year"].map((space, seed) => {
    const made = contender({ space, candidate: "words", cost: cheap }, labels, { signal: 2, seed });
    const readTable = () => {
      reads.set(space, (reads.get(space) ?? 0) + 1);
      return made.readTable();
    };
    return { ...made, readTable };
  }) as [Contender, Contender, Contender];
  const tables = new CosineTables({ known: part(0, 30), queries: part(30, 40) }, 2);
  const first = tables.nearest(singleArm(plot), [1], 3);
  tables.nearest(evenArm([plot, cast]), [1, 1], 3);
  tables.nearest(evenArm([cast, plot]), [1, 1], 3);
  expect(Object.fromEntries(reads)).toEqual({ plot: 1, cast: 1 });
  // The one that was asked for longest ago gives way.
  tables.nearest(singleArm(year), [1], 3);
  tables.nearest(singleArm(plot), [1], 3);
  expect(Object.fromEntries(reads)).toEqual({ plot: 1, cast: 1, year: 1 });
  tables.nearest(singleArm(cast), [1], 3);
  expect(reads.get("cast")).toBe(2);
  expect(tables.nearest(singleArm(plot), [1], 3)).toEqual(first);
});
