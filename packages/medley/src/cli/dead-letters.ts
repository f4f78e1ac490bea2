import { MedleyError, type StoredDeadLetter } from "@medley/core";
import { checkInputs, type Input, send } from "@medley/pipeline";
import type { Deployment } from "../deployment/deployment.ts";
import { replayedMessage } from "../ingest/replay-message.ts";
import { type Context, openHere } from "./context.ts";
import { type Outcome, table } from "./output.ts";

export interface ListArguments {
  readonly collection?: string;
  readonly code?: string;
  readonly run?: string;
  readonly limit: number;
  /** Also those replayed before. */
  readonly all?: boolean;
}

export async function listDeadLetters(context: Context, given: ListArguments): Promise<Outcome> {
  await using deployment = await openHere(context, false);
  const letters = await deployment.store.listDeadLetters(filterOf(given));
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
  const letter = await readLetter(deployment, deadLetterId);
  const data = shown(letter);
  const text = Object.entries(data)
    .map(([name, value]) => `${`${name}:`.padEnd(14)} ${value}`)
    .join("\n");
  return { exitCode: 0, data, text };
}

export interface ReplayArguments extends ListArguments {
  /** Empty: all that the filter finds. */
  readonly ids: readonly number[];
  /** JSON that takes the place of the one letter's record. */
  readonly record?: string;
  readonly dryRun?: boolean;
}

/** Sends dead letters through the pipeline again, each with the version it had. What fails again stays a dead letter. */
export async function replayDeadLetters(context: Context, given: ReplayArguments): Promise<Outcome> {
  if (given.record !== undefined && given.ids.length !== 1) {
    throw new MedleyError("usage", "--record mends one dead letter", { mend: "name its number" });
  }
  await using deployment = await openHere(context, "own_database");
  const letters =
    given.ids.length > 0
      ? await Promise.all(given.ids.map((id) => readLetter(deployment, id)))
      : await deployment.store.listDeadLetters(filterOf(given));
  const refused: { deadLetterId: number; reason: string }[] = [];
  for (const letter of given.dryRun ? [] : letters) {
    const reason = await replay(deployment, letter, given.record ?? null);
    if (reason === null) await deployment.store.markReplayed(letter);
    else refused.push({ deadLetterId: letter.deadLetterId, reason });
  }
  const replayed = given.dryRun ? 0 : letters.length - refused.length;
  const runsHere = replayed > 0 && deployment.database.kind === "own";
  if (runsHere) {
    await deployment.runStages(["embed", "index"]);
    await deployment.settled(context.signal);
  }
  const lines = [
    given.dryRun
      ? `${letters.length} dead letters would be replayed`
      : `${replayed} replayed, ${refused.length} refused again`,
  ];
  for (const { deadLetterId, reason } of refused) lines.push(`  ${deadLetterId}: ${reason}`);
  if (replayed > 0 && !runsHere) lines.push("they are in the queue; follow them with: medley status");
  return {
    exitCode: refused.length > 0 ? 4 : 0,
    data: { found: letters.length, replayed, refused },
    text: lines.join("\n"),
  };
}

/** The reason why it was refused at the door once more, or null when it is in the queue. */
async function replay(
  deployment: Deployment,
  letter: StoredDeadLetter,
  mended: string | null,
): Promise<string | null> {
  const { collection } = deployment.collection(letter.collection);
  const input = (mended === null ? replayedMessage(letter, collection) : null) ?? inputOf(letter, mended);
  if (typeof input === "string") return input;
  const { envelopes, rejected } = checkInputs(deployment.produce, collection, [input]);
  if (rejected[0] !== undefined) return rejected[0].message;
  await send(deployment.produce, collection, envelopes);
  return null;
}

/** The letter's record, or the one mended, with the version it had; as text why it is none. */
function inputOf(letter: StoredDeadLetter, mended: string | null): Input | string {
  let value: unknown;
  try {
    value = JSON.parse(mended ?? Buffer.from(letter.payload).toString("utf8"));
  } catch {
    return "it is no JSON object; give the mended record with --record";
  }
  // Rows of a CSV file were kept as strings; strings that stand for other types do no harm in the others.
  const textual = letter.stage === "produce";
  const version = letter.version === null ? {} : { version: letter.version };
  return { value, source: letter.source, textual, ...version };
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

function filterOf({ collection, code, run, limit, all }: ListArguments) {
  return {
    limit,
    ...(collection === undefined ? {} : { collection }),
    ...(code === undefined ? {} : { code }),
    ...(run === undefined ? {} : { runId: run }),
    ...(all ? {} : { replayed: false }),
  };
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
