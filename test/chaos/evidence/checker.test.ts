/** The checker finds each way in which a promise can break: else a green run would say nothing. */
import { expect, test } from "vitest";
import { contentMd5, contentOf, vectorMd5 } from "../workload/content.ts";
import type { JournalEntry } from "../workload/journal.ts";
import type { Poison } from "../workload/operations.ts";
import type { AuditedWrite, Letter } from "./audit.ts";
import { check, type Evidence } from "./checker.ts";

function entry(n: number, version: number, what: Partial<JournalEntry> = {}): JournalEntry {
  const operation = { n, id: "a", version, action: "upsert" as const, poison: null, lane: "stream" as const };
  const merged = { ...operation, ...what };
  const content = merged.action === "delete" ? null : contentMd5(contentOf(merged));
  return { content, outcome: "accepted", ...merged };
}

function write(version: number, what: Partial<AuditedWrite> = {}): AuditedWrite {
  const content = contentOf({ id: "a", version, poison: null });
  return {
    id: "a",
    version,
    deleted: false,
    contentMd5: contentMd5(content),
    vectorMd5: vectorMd5(content),
    ...what,
  };
}

const tombstone = (version: number) => write(version, { deleted: true, contentMd5: null, vectorMd5: null });
const letter = (version: number | null, stage: Letter["stage"] = "embed"): Letter => ({
  id: "a",
  version,
  stage,
  source: "http:0",
});

/** Upserts at 10 and 20, one late at 15, a delete, poison, and a bad line of a file. */
function whole(): { -readonly [Part in keyof Evidence]: Evidence[Part][number][] } {
  const poison = (n: number, version: number, kind: Poison, what: Partial<JournalEntry> = {}) =>
    entry(n, version, { poison: kind, ...what });
  return {
    journal: [
      entry(0, 10),
      entry(1, 20),
      entry(2, 15),
      entry(3, 30, { action: "delete" }),
      poison(4, 40, "encoder"),
      poison(5, 50, "door", { outcome: "rejected" }),
      poison(6, 60, "door", { lane: "backfill" }),
      entry(7, 35),
    ],
    audit: [write(10), write(20), tombstone(30)],
    rows: [tombstone(30)],
    letters: [letter(40), letter(null, "produce")],
    runs: [{ runId: "r", records: 3, settled: 3 }],
  };
}

test("all in order: each accepted operation is counted once", () => {
  const { outcomes, violations } = check(whole());
  expect(violations).toEqual([]);
  expect(outcomes).toEqual({
    indexed: 2,
    tombstoned: 1,
    superseded: 1,
    supersededByDeadLetter: 1,
    deadLetters: 2,
    accepted: 7,
    rejected: 1,
  });
});

type Breach = readonly [what: string, promise: RegExp, breakIt: (evidence: ReturnType<typeof whole>) => void];

const breaches: readonly Breach[] = [
  ["a lost operation", /^P1: a at 70 .*lost/, ({ journal }) => journal.push(entry(8, 70))],
  [
    "a lost poison",
    /^P1: a at 40 .*lost/,
    ({ letters, journal }) => {
      letters.shift();
      journal.pop();
    },
  ],
  [
    "a dead letter that is no poison",
    /^P1: a at 10 is a dead letter, but no poison/,
    ({ letters }) => letters.push(letter(10)),
  ],
  [
    "written and dead letter",
    /^P1: a at 20 was written and is a dead letter/,
    ({ letters }) => letters.push(letter(20)),
  ],
  [
    "a write nobody sent",
    /^P1: a at 33 was written, but never sent/,
    ({ audit, rows }) => {
      audit.push(write(33));
      rows[0] = write(33);
    },
  ],
  ["a bad line lost", /^P1: a: 1 more invalid lines/, ({ letters }) => void letters.pop()],
  [
    "a run that counts too few",
    /^P1: run r settled 2 of 3/,
    ({ runs }) => void runs.splice(0, 1, { runId: "r", records: 3, settled: 2 }),
  ],
  ["written twice", /^P2: a at 20 was written twice/, ({ audit }) => void audit.splice(1, 0, write(20))],
  ["two rows", /^P2: a has two rows/, ({ rows }) => rows.push(tombstone(30))],
  [
    "an older version after a newer",
    /^P3: a at 15 was written after 20/,
    ({ audit }) => void audit.splice(2, 0, write(15)),
  ],
  [
    "a vector of another version",
    /^P4: a at 20 has a vector/,
    ({ audit }) => void audit.splice(1, 1, write(20, { vectorMd5: write(10).vectorMd5 })),
  ],
  [
    "fields of another version",
    /^P4: a at 20 holds another/,
    ({ audit }) => void audit.splice(1, 1, write(20, { contentMd5: write(10).contentMd5 })),
  ],
  ["a row changed behind the audit", /^P4: a is at 20/, ({ rows }) => void rows.splice(0, 1, write(20))],
  ["a row gone", /^P1: a was written and has no row/, ({ rows }) => void rows.pop()],
];

test.for(breaches)("found: %s", ([, promise, breakIt]) => {
  const evidence = whole();
  breakIt(evidence);
  expect(check(evidence).violations).toContainEqual(expect.stringMatching(promise));
});
