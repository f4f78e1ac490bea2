import type { Status } from "../deployment/status.ts";
import { readStatus } from "../deployment/status.ts";
import { askService, unavailable } from "../watch/remote-service.ts";
import { type Context, openHere, settingsOf } from "./context.ts";
import { type Outcome, table } from "./output.ts";
import { duration } from "./progress.ts";

/** `medley status`: of the deployment that is configured here, or of the service at `url`. */
export async function statusCommand(context: Context, given: { url?: string }): Promise<Outcome> {
  const status = given.url === undefined ? await statusHere(context) : await statusAt(context, given.url);
  return { exitCode: 0, data: status, text: statusText(status) };
}

async function statusHere(context: Context): Promise<Status> {
  await using deployment = await openHere(context, false);
  return await readStatus(deployment);
}

async function statusAt(context: Context, url: string): Promise<Status> {
  const response = await askService(url, "/v1/status", settingsOf(context).token);
  const status = (await response.json().catch(() => null)) as Partial<Status> | null;
  const lists = [status?.collections, status?.backlog, status?.runs, status?.deadLetters];
  if (!lists.every(Array.isArray)) throw unavailable(url, "its answer is no status");
  return status as Status;
}

function statusText(status: Status): string {
  const collections = table(
    ["collection", "rows", "tombstones", "dead letters", "dimensions", "indexes"],
    status.collections.map((c) => [
      c.collection,
      c.rowsLive,
      c.tombstones,
      c.deadLettersOpen,
      c.dimensions,
      c.graphDimensions < c.dimensions ? `${c.index}, graphs over ${c.graphDimensions}` : c.index,
    ]),
  );
  const queue = table(
    ["lane", "channel", "waiting", "in flight", "counted in", "oldest"],
    status.backlog.map(({ lane, channel, waiting, inFlight, unit, oldestAgeMs }) => [
      lane,
      channel,
      waiting,
      inFlight,
      unit,
      ageText(oldestAgeMs),
    ]),
  );
  const letters = table(
    ["dead letters of", "code", "open"],
    status.deadLetters.map(({ collection, code, deadLetters }) => [collection, code, deadLetters]),
  );
  const runs = table(
    ["run", "collection", "state", "read", "indexed", "dead letters", "records/s", "left"],
    status.runs.map((run) => [
      run.runId,
      run.collection,
      run.state,
      run.recordsRead,
      run.indexed,
      run.deadLetters,
      Math.round(run.recordsPerSecond),
      run.secondsLeft === null ? "-" : duration(run.secondsLeft),
    ]),
  );
  const unfinished = status.runs.filter((run) => run.state === "running");
  const resume = unfinished.map(
    (run) => `unfinished, unless it runs elsewhere: medley backfill --resume ${run.runId}`,
  );
  const lacking = status.collections
    .filter(({ index }) => index === "missing" || index === "broken" || index === "partial")
    .map(({ collection, index }) => `the indexes of ${collection} are ${index}: medley index ${collection}`);
  return [
    collections,
    queue,
    ...(status.deadLetters.length > 0 ? [letters] : []),
    ...freshnessLines(status),
    ...(status.runs.length > 0 ? [runs] : []),
    ...resume,
    ...lacking,
  ].join("\n\n");
}

/** Only a process that indexes has some to tell: a service, by `--url`. */
function freshnessLines({ freshness }: Status): readonly string[] {
  return Object.entries(freshness).flatMap(([lane, { records, p50Seconds, p95Seconds }]) =>
    records === 0
      ? []
      : [`fresh in the ${lane} lane: half within ${seconds(p50Seconds)}, 95% within ${seconds(p95Seconds)}`],
  );
}

/** `-` where it is not known. */
export function ageText(ageMs: number | null): string {
  if (ageMs === null) return "-";
  return ageMs < 60_000 ? seconds(ageMs / 1000) : duration(ageMs / 1000);
}

export function seconds(value: number | null): string {
  if (value === null) return "-";
  return value < 10 ? `${value.toFixed(value < 1 ? 2 : 1)} s` : duration(value);
}
