import { readStatus } from "../deployment/status.ts";
import { type Context, openHere } from "./context.ts";
import { type Outcome, table } from "./output.ts";

export async function statusCommand(context: Context): Promise<Outcome> {
  await using deployment = await openHere(context, false);
  const status = await readStatus(deployment);
  const collections = table(
    ["collection", "rows", "tombstones", "dead letters", "dimensions", "index"],
    status.collections.map((c) => [
      c.collection,
      c.rowsLive,
      c.tombstones,
      c.deadLettersOpen,
      c.dimensions,
      c.index,
    ]),
  );
  const queue = table(
    ["lane", "channel", "waiting", "in flight", "counted in"],
    status.backlog.map(({ lane, channel, waiting, inFlight, unit }) => [
      lane,
      channel,
      waiting,
      inFlight,
      unit,
    ]),
  );
  const runs = table(
    ["run", "collection", "state", "read", "indexed", "dead letters"],
    status.runs.map((run) => [
      run.runId,
      run.collection,
      run.state,
      run.recordsRead,
      run.indexed,
      run.deadLetters,
    ]),
  );
  const unfinished = status.runs.filter((run) => run.state === "running");
  const resume = unfinished.map(
    (run) => `unfinished, unless it runs elsewhere: medley backfill --resume ${run.runId}`,
  );
  const lacking = status.collections
    .filter(({ index }) => index === "missing" || index === "broken")
    .map(({ collection, index }) => `the index of ${collection} is ${index}: medley index ${collection}`);
  const hints = [...resume, ...lacking];
  const text = [collections, queue, ...(status.runs.length > 0 ? [runs] : []), ...hints].join("\n\n");
  return { exitCode: 0, data: status, text };
}
