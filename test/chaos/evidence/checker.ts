import { contentMd5, contentOf, vectorMd5 } from "../workload/content.ts";
import type { JournalEntry } from "../workload/journal.ts";
import type { AuditedWrite, Letter, StoredRow } from "./audit.ts";

export interface Evidence {
  readonly journal: readonly JournalEntry[];
  /** Every effective write, in order. */
  readonly audit: readonly AuditedWrite[];
  readonly rows: readonly StoredRow[];
  readonly letters: readonly Letter[];
  /** What each finished backfill counted. */
  readonly runs: readonly FinishedRun[];
}

export interface FinishedRun {
  readonly runId: string;
  /** In the file. */
  readonly records: number;
  /** Indexed, tombstoned, superseded and dead letters together, as the command reports them. */
  readonly settled: number;
}

/** How many of the accepted operations ended in which way: the first five add up to `accepted`. */
export interface Outcomes {
  readonly indexed: number;
  readonly tombstoned: number;
  /** By a version that was written. */
  readonly superseded: number;
  /** By a version that was refused later: it was accepted, so what is older than it does not count any more. */
  readonly supersededByDeadLetter: number;
  readonly deadLetters: number;
  readonly accepted: number;
  readonly rejected: number;
}

export interface Verdict {
  readonly outcomes: Outcomes;
  /** Promise and what breaks it. Empty: all hold. */
  readonly violations: readonly string[];
}

/** What is known of one id. */
interface History {
  readonly entries: JournalEntry[];
  readonly writes: AuditedWrite[];
  readonly letterVersions: Set<number>;
  row: StoredRow | null;
}

type Report = (promise: string, what: string) => void;

/**
 * Compares what the senders knew with what the database says. Accepted operations = indexed + tombstoned + superseded + dead
 * letters, each exactly one of them (P1); no version is written twice and no id has two rows (P2); versions of an id only
 * grow (P3); every write, not only the last one, holds its version's content and vector, bit for bit (P4).
 */
export function check(evidence: Evidence): Verdict {
  const violations: string[] = [];
  const report: Report = (promise, what) => violations.push(`${promise}: ${what}`);
  const outcomes = { ...noOutcomes };
  const histories = historiesOf(evidence, report);
  for (const [id, history] of histories) {
    checkWrites(id, history, report);
    checkRow(id, history, report);
    countOutcomes(history, outcomes, report);
  }
  checkDoor(evidence, outcomes, report);
  for (const { runId, records, settled } of evidence.runs) {
    if (records !== settled) report("P1", `run ${runId} settled ${settled} of ${records} records`);
  }
  return { outcomes, violations };
}

const noOutcomes = {
  indexed: 0,
  tombstoned: 0,
  superseded: 0,
  supersededByDeadLetter: 0,
  deadLetters: 0,
  accepted: 0,
  rejected: 0,
};

function historiesOf({ journal, audit, rows, letters }: Evidence, report: Report): Map<string, History> {
  const histories = new Map<string, History>();
  const of = (id: string): History => {
    const known = histories.get(id) ?? { entries: [], writes: [], letterVersions: new Set(), row: null };
    histories.set(id, known);
    return known;
  };
  for (const entry of journal) if (entry.poison !== "door") of(entry.id).entries.push(entry);
  for (const write of audit) of(write.id).writes.push(write);
  for (const row of rows) {
    const history = of(row.id);
    if (history.row !== null) report("P2", `${row.id} has two rows`);
    history.row = row;
  }
  for (const { id, version, stage } of letters) {
    if (stage === "produce") continue;
    if (id === null || version === null) report("P1", `a dead letter of ${stage} has no id or version`);
    else of(id).letterVersions.add(version);
  }
  return histories;
}

function checkWrites(id: string, { entries, writes, letterVersions }: History, report: Report): void {
  let newest = -1;
  for (const write of writes) {
    const what = `${id} at ${write.version}`;
    if (write.version === newest) report("P2", `${what} was written twice`);
    if (write.version < newest) report("P3", `${what} was written after ${newest}`);
    newest = Math.max(newest, write.version);
    const sent = entries.find(({ version }) => version === write.version);
    if (sent === undefined) report("P1", `${what} was written, but never sent`);
    else checkContent(what, write, sent, report);
    if (letterVersions.has(write.version)) report("P1", `${what} was written and is a dead letter`);
  }
}

function checkContent(what: string, write: AuditedWrite, sent: JournalEntry, report: Report): void {
  if (write.deleted !== (sent.action === "delete")) report("P4", `${what} was sent as ${sent.action}`);
  if (write.deleted) return;
  const content = contentOf(sent);
  if (sent.content !== contentMd5(content)) report("journal", `${what} was sent with other content`);
  if (write.contentMd5 !== sent.content) report("P4", `${what} holds another version's fields`);
  if (write.vectorMd5 !== vectorMd5(content)) report("P4", `${what} has a vector that is not its content's`);
}

/** The row is as its last write left it. */
function checkRow(id: string, { writes, row }: History, report: Report): void {
  const last = writes.at(-1);
  if (last === undefined && row === null) return;
  if (last === undefined || row === null) {
    report(
      "P1",
      last === undefined ? `${id} has a row that nobody wrote` : `${id} was written and has no row`,
    );
    return;
  }
  const same =
    row.version === last.version &&
    row.deleted === last.deleted &&
    row.contentMd5 === last.contentMd5 &&
    row.vectorMd5 === last.vectorMd5;
  if (!same) report("P4", `${id} is at ${row.version}, other than its last write at ${last.version}`);
}

type Counts = { -readonly [Name in keyof Outcomes]: Outcomes[Name] };

function countOutcomes({ entries, writes, letterVersions }: History, counts: Counts, report: Report): void {
  const written = new Set(writes.map(({ version }) => version));
  const writtenMax = Math.max(-1, ...written);
  const letterMax = Math.max(-1, ...letterVersions);
  const poisoned = new Set(entries.filter(({ poison }) => poison !== null).map(({ version }) => version));
  for (const version of letterVersions) {
    if (!poisoned.has(version))
      report("P1", `${entries[0]?.id} at ${version} is a dead letter, but no poison`);
  }
  for (const { id, version, action, outcome, poison, lane } of entries) {
    const what = `${id} at ${version}`;
    if (outcome === "rejected") report("P1", `${what} was rejected at the door`);
    if (outcome !== "accepted") continue;
    counts.accepted += 1;
    if (poison !== null && written.has(version)) report("P1", `${what} is poison, but was written`);
    if (letterVersions.has(version)) counts.deadLetters += 1;
    else if (written.has(version)) counts[action === "delete" ? "tombstoned" : "indexed"] += 1;
    else if (writtenMax > version) counts.superseded += 1;
    else if (letterMax > version) counts.supersededByDeadLetter += 1;
    else report("P1", `${what} (${poison ?? action}, ${lane}) is lost`);
  }
}

/** Invalid records: rejected by HTTP, and dead letters of stage `produce`, by id, where they came in a file. */
function checkDoor({ journal, letters }: Evidence, counts: Counts, report: Report): void {
  const expected = new Map<string, number>();
  const unanswered = new Set<string>();
  for (const { id, version, lane, poison, outcome } of journal) {
    if (poison !== "door") continue;
    if (outcome === "unanswered") unanswered.add(id);
    else if (lane === "stream") {
      if (outcome === "rejected") counts.rejected += 1;
      else report("P1", `${id} at ${version} is invalid, but was accepted`);
    } else {
      counts.accepted += 1;
      expected.set(id, (expected.get(id) ?? 0) + 1);
    }
  }
  for (const { id, stage } of letters) {
    if (stage !== "produce" || id === null) continue;
    counts.deadLetters += 1;
    expected.set(id, (expected.get(id) ?? 0) - 1);
  }
  for (const [id, missing] of expected) {
    if (missing !== 0)
      report("P1", `${id}: ${missing} more invalid lines of files than dead letters of them`);
  }
}
