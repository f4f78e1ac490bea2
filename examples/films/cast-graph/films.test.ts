import { expect, test } from "vitest";
import { films, graphRecords, heldOut, questions } from "./films.ts";

test("no film's id is a person's name: both are nodes of one graph", () => {
  const ids = new Set(films.map(({ id }) => id));
  expect(films.flatMap(({ cast }) => cast).filter((name) => ids.has(name))).toEqual([]);
});

test("a quarter of the films is held out, and every film has edges", () => {
  expect(heldOut.size).toBe(625);
  const records = graphRecords() as { id: string; players: string[]; part: string }[];
  expect(records).toHaveLength(2_500);
  for (const { id, players, part } of records) {
    expect(players.length).toBeGreaterThan(0);
    expect(part).toBe(heldOut.has(id) ? "held out" : "known");
  }
});

test.for(questions.map((question) => [question.title, question] as const))(
  "each %s has films to learn from and to ask about",
  ([, { classOf, classCount }]) => {
    for (const isAsked of [false, true]) {
      const part = films.filter(({ id }) => heldOut.has(id) === isAsked);
      const counts = Array.from(
        { length: classCount },
        (_, at) => part.filter((film) => classOf(film) === at).length,
      );
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(part.length);
      expect(Math.min(...counts)).toBeGreaterThanOrEqual(5);
    }
  },
);
