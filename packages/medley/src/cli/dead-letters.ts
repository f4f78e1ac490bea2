import { type DeadLetterWhere, deadLetterConditions, MedleyError, type StoredDeadLetter } from "@medley/core";
import type { Deployment } from "../deployment/deployment.ts";
import { type ReplayResult, replay } from "../replay/replay.ts";
import { type Context, openHere } from "./context.ts";
import { type ExitCode, type Outcome, table } from "./output.ts";
import { count, Progress } from "./progress.ts";

export interface WhichLetters {
  readonly collection?: string;
  readonly code?: string;
  readonly run?: string;
  /** JSON, see `DeadLetterWhere`. */
  readonly where?: string;
}

export interface ListArguments extends WhichLetters {
  readonly limit: number;
  /** Also those replayed before. */
  readonly all?: boolean;
}

export async function listDeadLetters(context: Context, given: ListArguments): Promise<Outcome> {
  const where = whereOf(given, given.all ?? false);
  await using deployment = await openHere(context, false);
  const letters = await deployment.store.listDeadLetters({ where, limit: given.limit });
  const rows = letters.map((letter) => [
    letter.deadLetterId,
    letter.collection,
    letter.source,
    letter.recordId ?? "-",
    letter.stage,
    letter.code,
    letter.reason,
  ]);
  const text =
    rows.length === 0
      ? "no dead letters"
      : table(["no", "collection", "source", "id", "stage", "code", "reason"], rows);
  return { exitCode: 0, data: letters.map(shown), text };
}

export async function showDeadLetter(context: Context, deadLetterId: number): Promise<Outcome> {
  await using deployment = await openHere(context, false);
  const data = shown(await readLetter(deployment, deadLetterId));
  const text = Object.entries(data)
    .map(([name, value]) => `${`${name}:`.padEnd(14)} ${value}`)
    .join("\n");
  return { exitCode: 0, data, text };
}

export interface ReplayArguments extends WhichLetters {
  /** Empty: all that the options find. */
  readonly ids: readonly number[];
  /** Default: all. */
  readonly limit?: number;
  /** JSON that takes the place of the one letter's record. */
  readonly record?: string;
  /** Records per second. */
  readonly rate?: number;
  readonly dryRun?: boolean;
}

/** Sends dead letters through the pipeline again, each with the version it had. What fails again stays a dead letter. */
export async function replayDeadLetters(context: Context, given: ReplayArguments): Promise<Outcome> {
  const where = whereToReplay(given);
  await using deployment = await openHere(context, "own_database");
  // A number that is mistyped is to be heard of, not skipped.
  for (const id of given.ids) await readLetter(deployment, id);
  const counts = await deployment.store.countDeadLetters(where);
  const found = counts.reduce((sum, one) => sum + one.count, 0);
  const lettersMax = Math.min(found, given.limit ?? found);
  if (given.dryRun) return dryRunOutcome(counts, lettersMax);

  const runsHere = found > 0 && deployment.database.kind === "own";
  // Before anything is sent: they make the room that is waited for.
  if (runsHere) await deployment.runStages(["embed", "index"]);
  const bar = new Progress("dead letters");
  let result: ReplayResult;
  try {
    result = await replay({
      store: deployment.store,
      produce: deployment.produce,
      where,
      lastDeadLetterId: Math.max(...counts.map((one) => one.lastDeadLetterId), 0),
      lettersMax,
      mended: given.record ?? null,
      recordsPerSecond: given.rate ?? null,
      onProgress: (done) => bar.update({ done, total: lettersMax }),
      signal: context.signal,
    });
    // What is not done when asked to stop is in the queue.
    if (runsHere && !context.signal.aborted)
      await deployment.settled(context.signal).catch((error) => {
        if (!context.signal.aborted) throw error;
      });
  } finally {
    bar.stop();
  }
  return replayOutcome(result, lettersMax, runsHere);
}

function whereToReplay(given: ReplayArguments): DeadLetterWhere {
  if (given.record !== undefined && given.ids.length !== 1) {
    throw new MedleyError("usage", "--record mends one dead letter", { mend: "name its number" });
  }
  if (given.ids.length === 0) return whereOf(given, false);
  if ([given.collection, given.code, given.run, given.where].some((option) => option !== undefined)) {
    throw new MedleyError("usage", "dead letters are named by their numbers or found by options, not both", {
      mend: "leave one of them out",
    });
  }
  return { deadLetterId: { in: given.ids } };
}

function dryRunOutcome(
  counts: Awaited<ReturnType<Deployment["store"]["countDeadLetters"]>>,
  lettersMax: number,
): Outcome {
  const kinds = counts.map((one) => ({ collection: one.collection, code: one.code, count: one.count }));
  const lines = [`${count(lettersMax)} dead letters would be replayed`];
  if (kinds.length > 0) {
    const rows = kinds.map((one) => [one.collection, one.code, one.count]);
    lines.push(table(["collection", "code", "found"], rows));
  }
  return {
    exitCode: 0,
    data: { found: lettersMax, replayed: 0, refused: [], kinds },
    text: lines.join("\n"),
  };
}

function replayOutcome(result: ReplayResult, found: number, runsHere: boolean): Outcome {
  const { replayed, refused, refusals, interrupted } = result;
  const lines = [`${count(replayed)} replayed, ${count(refused)} refused again`];
  for (const { deadLetterId, reason } of refusals) lines.push(`  ${deadLetterId}: ${reason}`);
  if (refused > refusals.length) lines.push(`  and ${count(refused - refusals.length)} more`);
  if (replayed > 0 && !runsHere) lines.push("they are in the queue; follow them with: medley status");
  if (interrupted)
    lines.push(`interrupted, ${count(found - replayed - refused)} left; the same command goes on`);
  const exitCode: ExitCode = interrupted ? 130 : refused > 0 ? 4 : 0;
  return {
    exitCode,
    data: { found, replayed, refused: refusals, refusedCount: refused },
    text: lines.join("\n"),
  };
}

async function readLetter(deployment: Deployment, deadLetterId: number): Promise<StoredDeadLetter> {
  const letter = await deployment.store.readDeadLetter(deadLetterId);
  if (letter === null) {
    throw new MedleyError("not_found", `there is no dead letter ${deadLetterId}`, {
      mend: "medley dead-letters list",
    });
  }
  return letter;
}

/** Throws `usage` for what is no JSON and `query_invalid` for what is no filter, before anything is opened. */
function whereOf({ collection, code, run, where }: WhichLetters, all: boolean): DeadLetterWhere {
  const filter = {
    ...(all ? {} : { replayedAt: null }),
    ...(collection === undefined ? {} : { collection }),
    ...(code === undefined ? {} : { code }),
    ...(run === undefined ? {} : { runId: run }),
    ...(where === undefined ? {} : whereOption(where)),
  };
  deadLetterConditions(filter);
  return filter;
}

function whereOption(text: string): object {
  let where: unknown;
  try {
    where = JSON.parse(text);
  } catch {
    throw new MedleyError("usage", `--where ${JSON.stringify(text)} is not JSON`, {
      mend: `quote it for the shell, such as --where '{"code": "encoder_failed"}'`,
    });
  }
  deadLetterConditions(where);
  return where as object;
}

function shown({ payload, version, createdAtMs, replayedAtMs, ...rest }: StoredDeadLetter) {
  return {
    ...rest,
    version: version?.toString() ?? null,
    createdAt: new Date(createdAtMs).toISOString(),
    replayedAt: replayedAtMs === null ? null : new Date(replayedAtMs).toISOString(),
    record: Buffer.from(payload).toString("utf8"),
  };
}
