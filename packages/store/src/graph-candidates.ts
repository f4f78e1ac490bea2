import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { PathIndex } from "./index-state.ts";

/**
 * pgvector's `ef_construction` while a graph is built: how many candidates are looked at for a row's neighbours. A search finds in such a
 * graph at ef 40 to 160 what it finds at twice that in one of the usual 64. A row that is written later pays for it each time, and
 * takes twice as long: it gets the usual ones.
 */
export const buildCandidates = 160;

/** An index's options change while nobody reads it: who waits for that keeps others waiting. */
const lockMsMax = 300;
const pauseMs = 200;
const triesMax = 20;

/** For a build, or for the writes that follow it. False: others have read it all the time; nothing has changed. */
export async function setCandidates(
  client: pg.Client,
  { name }: Pick<PathIndex, "name">,
  of: "build" | "writes",
): Promise<boolean> {
  const option = of === "build" ? `set (ef_construction = ${buildCandidates})` : "reset (ef_construction)";
  for (let tries = 1; tries <= triesMax; tries++) {
    try {
      // One statement is one transaction, and so is the limit.
      await client.query(
        `set local lock_timeout = ${lockMsMax}; alter index if exists medley_internal.${name} ${option}`,
      );
      return true;
    } catch (error) {
      if (!(error instanceof pg.DatabaseError && error.code === "55P03")) throw error;
      await sleep(pauseMs);
    }
  }
  return false;
}
