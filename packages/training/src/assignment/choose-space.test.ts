import { expect, test } from "vitest";
import type { Contender } from "./arm.ts";
import { assignTask, type TaskReport } from "./assign-task.ts";
import { spaceChoices } from "./choose-space.ts";
import { cheap, classesOf, contender, dear, splitOf } from "./contenders.fixture.ts";

const rows = 400;
const labels = classesOf(rows, 3, 1);
const words = { space: "plot", candidate: "words", cost: cheap };
const text = { space: "plot", candidate: "text", cost: dear };

/** A task that words and text tell as well as these signals are strong. */
function taskOf(name: string, [ofWords, ofText]: readonly [number, number]): TaskReport {
  const contenders: Contender[] = [
    contender(words, labels, { signal: ofWords, seed: 2 }),
    contender(text, labels, { signal: ofText, seed: 3 }),
  ];
  const task = { name, kind: "classification", values: labels } as const;
  return assignTask(contenders, { task, split: splitOf(rows) }, { seed: 1 });
}

test("a candidate must not be worse in any task that the space tells something of", () => {
  const [genre, decade, studio] = [
    taskOf("genre", [6, 6]),
    taskOf("decade", [1, 5]),
    taskOf("studio", [0, 0]),
  ];
  const candidateOf = (...reports: TaskReport[]) => spaceChoices(reports)[0]?.candidate;
  expect(candidateOf(genre)).toBe("words");
  expect(candidateOf(genre, decade)).toBe("text");
  expect(candidateOf(decade, genre)).toBe("text");
  expect(candidateOf(genre, studio)).toBe("words");
  expect(spaceChoices([studio])).toEqual([{ space: "plot", verdict: "no_evidence", candidate: null }]);
});
