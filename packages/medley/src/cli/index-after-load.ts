import { MedleyError } from "@medley/core";
import { dropIndex, type IndexState, mayIndex } from "@medley/store";
import type { Deployment } from "../deployment/deployment.ts";
import { buildWithProgress, described } from "./collection-index.ts";
import { count } from "./progress.ts";

/**
 * What a backfill does with the indexes of the vectors: `after` drops them first and builds them when all is loaded, which is
 * several times faster than writing into it, and leaves searches to exact scans meanwhile; `keep` leaves it alone; null
 * builds it after the load where there is none, and never takes one away.
 */
export type IndexChoice = "after" | "keep" | null;

export interface Load {
  readonly deployment: Deployment;
  readonly collection: string;
  readonly index: IndexChoice;
}

// A load as large is minutes longer with the index in place.
const worthDroppingRowsMin = 50_000;

/** Before the load. Throws `usage` or `permission_denied`, before anything is read. */
export async function prepareIndex(
  load: Load,
  { detach, total }: { detach: boolean; total: number | null },
): Promise<void> {
  const { deployment, collection, index } = load;
  if (index === "after") {
    if (detach) {
      throw new MedleyError("usage", "with --detach nobody is there to build the index after the load", {
        mend: `leave out --detach; or medley index ${collection} --drop before, and without --drop when medley status says done`,
      });
    }
    if (!(await mayIndex(deployment.pool, collection))) {
      throw new MedleyError(
        "permission_denied",
        `this role may not drop and build the index of ${collection}`,
        {
          mend: `load as the role that owns the table, or let it run: medley index ${collection} --drop`,
        },
      );
    }
    const state = await indexState(load);
    if (state === "not_needed" || state === "missing") return;
    await dropIndex(deployment.database.connectionString, collection);
    process.stderr.write(
      `dropped the indexes of ${collection}: searches scan exactly until they are built\n`,
    );
  } else if (
    index === null &&
    (total ?? 0) >= worthDroppingRowsMin &&
    ["ready", "partial"].includes(await indexState(load))
  ) {
    process.stderr.write(
      `${collection} has indexes, which make each write slower: --index after loads ${count(total ?? 0)} records several times faster, but searches scan meanwhile\n`,
    );
  }
}

/** After the load: the index's state then, and what to say of it. */
export async function finishIndex(
  load: Load,
  signal: AbortSignal,
): Promise<{ readonly state: IndexState; readonly text: string | null }> {
  const { deployment, collection, index } = load;
  const { kind, connectionString } = deployment.database;
  const state = await indexState(load);
  const lacks = state === "missing" || state === "broken";
  if (!lacks || index === "keep") return { state, text: null };
  // The engine of another process would stop for everyone there.
  if (kind === "attached" || !(await mayIndex(deployment.pool, collection))) {
    const whose = kind === "attached" ? "" : ", as the role that owns the table";
    return {
      state,
      text: `${collection} lacks its indexes; build them with: medley index ${collection}${whose}`,
    };
  }
  const built = await buildWithProgress(connectionString, collection, { signal });
  return { state: built.state === "cancelled" ? "missing" : "ready", text: described(built) };
}

async function indexState({ deployment, collection }: Load): Promise<IndexState> {
  const statuses = await deployment.store.collectionStatus();
  const status = statuses.find((one) => one.collection === collection);
  return status?.index ?? "not_needed";
}
