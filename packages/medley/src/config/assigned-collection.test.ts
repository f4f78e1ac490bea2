import { type Collection, checkConfig } from "@medley/core";
import { emptyLock, type ModelLock } from "@medley/models";
import { expect, test } from "vitest";
import { beforeReduction, withAssigned } from "./assigned-collection.ts";

function filmsWith(plot: object): Collection {
  const fields = { plot: "text", year: "number" };
  const year = { encoder: "number", field: "year", range: [1900, 2030] };
  const spaces = { plot: { encoder: "text", field: "plot", ...plot }, year };
  return checkConfig({ collections: { films: { fields, spaces } } })[0] as Collection;
}

function lockWith(spaces: ModelLock["assigned"]["dimensions"][string]["spaces"]): ModelLock {
  const dimensions = { films: { spaces, evidence: {} } };
  return { ...emptyLock, file: "medley.lock.json", assigned: { ...emptyLock.assigned, dimensions } };
}

const reduced = { to: 96, by: "pca" } as const;

test("spaces serve in as many dimensions as the lock gives them, and are measured before that", () => {
  const lock = lockWith({ plot: reduced });
  const served = withAssigned(filmsWith({}), lock);
  expect(served.spaces[0]?.definition).toEqual({ encoder: "text", field: "plot", reduced });
  expect(served.spaces[1]?.definition).not.toHaveProperty("reduced");
  expect(beforeReduction(served, lock).spaces).toEqual(filmsWith({}).spaces);
});

test("what the configuration reduces itself is the user's own word", () => {
  const own = filmsWith({ reduced: { to: 64, by: "random" } });
  const lock = lockWith({ plot: reduced });
  expect(withAssigned(own, lock).spaces).toEqual(own.spaces);
  expect(beforeReduction(own, lock).spaces).toEqual(own.spaces);
});

test("a share of a space that can't be reduced any more is refused with the mend", () => {
  expect(() => withAssigned(filmsWith({}), lockWith({ year: reduced }))).toThrow(
    expect.objectContaining({ code: "config_invalid", mend: expect.stringContaining("assigned.dimensions") }),
  );
});
