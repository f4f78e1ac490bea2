import type { UserEvent, Version, WriteOutcome } from "@medley/core";
import type pg from "pg";
import { askedMsMax, withRetry } from "./retry.ts";
import { codedArray, elementOids, int8Codec, textCodec, timestamptzCodec } from "./rows/binary-array.ts";

const writeSql = `select medley_internal.write_events(
  $1, $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::bigint[]
) as letters`;

const outcomeOf: Readonly<Record<string, WriteOutcome>> = { i: "indexed", t: "tombstoned", s: "superseded" };

/** See `Store.writeEvents`. */
export async function writeEvents(
  pool: pg.Pool,
  collection: string,
  events: readonly UserEvent[],
): Promise<readonly WriteOutcome[]> {
  if (events.length === 0) return [];
  const texts = (pick: (event: UserEvent) => string) =>
    codedArray(elementOids.text, events.map(pick), textCodec);
  const times = events.map(({ atMs }) => atMs);
  const versions = events.map(({ version }) => version);
  const values = [
    collection,
    texts(({ user }) => user),
    texts(({ eventId }) => eventId),
    texts(({ item }) => item),
    texts(({ kind }) => kind),
    codedArray(elementOids.timestamptz, times, timestamptzCodec),
    codedArray(elementOids.int8, versions, int8Codec),
  ];
  const { rows } = await withRetry(() => pool.query<{ letters: string }>(writeSql, values));
  return [...(rows[0] as { letters: string }).letters].map((letter) => outcomeOf[letter] as WriteOutcome);
}

/** When a user is forgotten: what happened or arrived until then stays away. */
export interface ForgottenAt {
  readonly atMs: number;
  readonly version: Version;
}

/** Resolves when the user's events and profile are gone; to the number of events there were. Again has no second effect. */
export async function forgetUser(
  pool: pg.Pool,
  { collection, user }: { readonly collection: string; readonly user: string },
  { atMs, version }: ForgottenAt,
): Promise<number> {
  const text = "select medley_internal.forget_user($1, $2, to_timestamp($3::float8 / 1000), $4) as events";
  const values = [collection, user, atMs, version.toString()];
  const { rows } = await withRetry(() => pool.query<{ events: number }>(text, values), askedMsMax);
  return (rows[0] as { events: number }).events;
}

/** Of one transaction, which keeps the events of these users waiting meanwhile. */
const rebuildUsersMax = 100;

/**
 * Makes every profile of a collection anew from the events kept: after the weights, the half-life or many rows have changed.
 * Aborted: it stops between two transactions; what is done stays. Returns how many profiles were made.
 */
export async function rebuildProfiles(
  pool: pg.Pool,
  collection: string,
  { signal, onProgress }: { readonly signal: AbortSignal; readonly onProgress: (done: number) => void },
): Promise<number> {
  let done = 0;
  let after: string | null = null;
  while (!signal.aborted) {
    const values: unknown[] = [collection, after, rebuildUsersMax];
    const { rows } = await withRetry(() =>
      pool.query<{ last: string | null; rebuilt: number }>(
        "select last_user as last, rebuilt from medley_internal.rebuild_profiles($1, $2, $3)",
        values,
      ),
    );
    const { last, rebuilt } = rows[0] as (typeof rows)[0];
    if (last === null) break;
    done += rebuilt;
    after = last;
    onProgress(done);
  }
  return done;
}
