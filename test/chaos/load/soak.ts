import { startFleet } from "../chaos-run.ts";
import { verdictOnceDrained } from "../evidence/gather.ts";
import { type LaneChoice, openWorld, type World } from "../world.ts";
import { type Figures, FleetWatch, slopePerMinute } from "./process-figures.ts";
import { offer, openStreamLoad } from "./steady-load.ts";

export interface SoakOptions {
  readonly lanes: LaneChoice;
  readonly minutes: number;
  readonly seed: number;
}

export interface ServiceTrend {
  readonly rssMegabytes: number;
  readonly megabytesPerMinute: number;
  readonly openFilesFirst: number;
  readonly openFilesLast: number;
}

export interface SoakResult {
  readonly minutes: number;
  readonly sustainablePerSecond: number;
  readonly services: Readonly<Record<string, ServiceTrend>>;
  readonly lagPerMinute: number;
  readonly lagMax: number;
  readonly accepted: number;
  readonly violations: readonly string[];
}

/**
 * V8 lets a heap of 35 MB breathe up to 150 before it collects, for a quarter of an hour at this load: a slope that is no leak.
 * Bounded, a process stands still within a minute, and what grows is a leak.
 */
const boundedHeap = { NODE_OPTIONS: "--max-old-space-size=128 --max-semi-space-size=4" };
const loadShare = 0.8;
const everyMs = 2_000;
/** Code is compiled and caches fill: two minutes, or a third of a short soak. */
const warmUpMsMax = 120_000;
const megabytesPerMinuteMax = 1;
/** A connection more or less is no leak. */
const openFilesGrowthMax = 8;
const outstandingMax = 500;

/** Steady load at 80 % of what the services get done: memory, files and lag must stay as they are. */
export async function runSoak({ lanes, minutes, seed }: SoakOptions): Promise<SoakResult> {
  await using world = await openWorld({ lanes, environment: boundedHeap });
  await startFleet(world);
  const { sender, operations, stop, sustainablePerSecond } = await openStreamLoad(world, seed);
  using watch = new FleetWatch(world.fleet, everyMs);
  const lag = new LagWatch(world);
  const durationMs = minutes * 60_000;
  const perSecond = loadShare * sustainablePerSecond;
  await offer(sender, operations, { perSecond, durationMs, outstandingMax }, stop);
  lag.stop();
  const warmUpMs = Math.min(warmUpMsMax, durationMs / 3);
  const services = Object.fromEntries(
    [...watch.samples].map(([name, figures]) => [
      name,
      trendOf(figures.filter(({ atMs }) => atMs > warmUpMs)),
    ]),
  );
  const { outcomes, violations } = await verdictOnceDrained({ ...world, runs: [] }, 120_000);
  const warm = lag.points.filter(({ atMs }) => atMs > warmUpMs);
  const lagPerMinute = slopePerMinute(warm);
  const lagMax = Math.max(0, ...warm.map(({ value }) => value));
  // What comes in within five seconds may lie around; it must not become more.
  const lagGrew = lagPerMinute > perSecond && (warm.at(-1)?.value ?? 0) > 5 * perSecond;
  return {
    minutes,
    sustainablePerSecond,
    services,
    lagPerMinute,
    lagMax,
    accepted: outcomes.accepted,
    violations: [
      ...Object.entries(services).flatMap(([name, trend]) => breachesOf(name, trend)),
      ...(lagGrew ? [`P5: the lag grows by ${Math.round(lagPerMinute)} records a minute`] : []),
      ...violations,
    ],
  };
}

function trendOf(figures: readonly Figures[]): ServiceTrend {
  const third = Math.max(Math.floor(figures.length / 3), 1);
  const filesOf = (part: readonly Figures[]) => Math.max(0, ...part.map(({ openFiles }) => openFiles));
  return {
    rssMegabytes: figures.at(-1)?.rssMegabytes ?? 0,
    megabytesPerMinute: slopePerMinute(
      figures.map(({ atMs, rssMegabytes }) => ({ atMs, value: rssMegabytes })),
    ),
    openFilesFirst: filesOf(figures.slice(0, third)),
    openFilesLast: filesOf(figures.slice(-third)),
  };
}

function breachesOf(name: string, trend: ServiceTrend): string[] {
  const { megabytesPerMinute, openFilesFirst, openFilesLast } = trend;
  const grows = `P5: ${name} grows by ${megabytesPerMinute.toFixed(2)} MB a minute`;
  const leaks = `P5: ${name} had ${openFilesFirst} files open, and ${openFilesLast} at the end`;
  return [
    ...(megabytesPerMinute > megabytesPerMinuteMax ? [grows] : []),
    ...(openFilesLast > openFilesFirst + openFilesGrowthMax ? [leaks] : []),
  ];
}

/** What is on its way, over time, as a producer counts it. */
class LagWatch {
  readonly points: { atMs: number; value: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor({ fleet }: World) {
    const startedAtMs = performance.now();
    const look = async () => {
      const [producer] = fleet.of("producer");
      const answer = await fetch(`${producer?.url}/v1/status`, { signal: AbortSignal.timeout(everyMs) });
      const { backlog } = (await answer.json()) as { backlog: { waiting: number; inFlight: number }[] };
      const value = backlog.reduce((sum, { waiting, inFlight }) => sum + waiting + inFlight, 0);
      this.points.push({ atMs: performance.now() - startedAtMs, value });
    };
    this.#timer = setInterval(() => void look().catch(() => {}), everyMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
