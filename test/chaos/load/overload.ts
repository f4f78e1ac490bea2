import { startFleet } from "../chaos-run.ts";
import { verdictNow, verdictOnceDrained } from "../evidence/gather.ts";
import { type LaneChoice, openWorld } from "../world.ts";
import { FleetWatch } from "./process-figures.ts";
import { type LoadOutcome, offer, openStreamLoad } from "./steady-load.ts";

export interface OverloadOptions {
  readonly lanes: LaneChoice;
  readonly seconds: number;
  readonly seed: number;
}

export interface OverloadResult {
  readonly sustainablePerSecond: number;
  readonly offeredPerSecond: number;
  readonly load: LoadOutcome;
  readonly answers: Readonly<Record<string, number>>;
  readonly peakMegabytes: Readonly<Record<string, number>>;
  readonly accepted: number;
  readonly drainedSeconds: number;
  readonly violations: readonly string[];
}

const overloadFactor = 10;
/** Of each service. At rest they have some 130 MB. */
export const megabytesMax = 400;
const outstandingMax = 500;
const drainMsMax = 180_000;

/** Promise P5: ten times what the services get done; they stay within memory, refuse what is too much, and drop nothing. */
export async function runOverload({ lanes, seconds, seed }: OverloadOptions): Promise<OverloadResult> {
  await using world = await openWorld({ lanes });
  await startFleet(world);
  const { sender, operations, stop, sustainablePerSecond } = await openStreamLoad(world, seed);
  sender.answers.clear();
  using watch = new FleetWatch(world.fleet, 500);
  const offeredPerSecond = overloadFactor * sustainablePerSecond;
  const durationMs = seconds * 1_000;
  const load = await offer(
    sender,
    operations,
    { perSecond: offeredPerSecond, durationMs, outstandingMax },
    stop,
  );
  const endedAtMs = performance.now();
  await verdictOnceDrained({ ...world, runs: [] }, drainMsMax);
  const drainedSeconds = (performance.now() - endedAtMs) / 1_000;
  const { outcomes, violations } = await verdictNow({ ...world, runs: [] });
  const { peakMegabytes } = watch;
  const answers = Object.fromEntries(sender.answers);
  const breaches = [
    ...Object.entries(peakMegabytes)
      .filter(([, megabytes]) => megabytes > megabytesMax)
      .map(([name, megabytes]) => `P5: ${name} had ${megabytes} MB, at most ${megabytesMax} were allowed`),
    ...(answers["429"] === undefined ? ["P5: producers were not slowed: no request was answered 429"] : []),
    ...(answers["429 without retry-after"] === undefined ? [] : ["P5: an answer 429 had no retry-after"]),
    ...world.fleet.members.flatMap(({ name, endings }) =>
      endings > 0 ? [`P5: ${name} ended by itself`] : [],
    ),
  ];
  return {
    sustainablePerSecond,
    offeredPerSecond,
    load,
    answers,
    peakMegabytes,
    accepted: outcomes.accepted,
    drainedSeconds,
    violations: [...breaches, ...violations],
  };
}
