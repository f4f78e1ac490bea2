/**
 * The figures of docs/ENCODERS.md. `node infra/encoder-tables.ts` writes them between the markers; the test beside this
 * file fails where they are out of date.
 */
import { strict as assert } from "node:assert";
import { readFileSync, writeFileSync } from "node:fs";
import { closedFormEncoder, type SpaceDefinition } from "@medley/core";

export const encodersPage = new URL("../docs/ENCODERS.md", import.meta.url);

const horizonDays = 1461;
const harmonicsDefault = 32;
const dayMs = 86_400_000;
const nowMs = Date.UTC(2026, 0, 31, 12);
const halfLivesDays = [7, 14, 30, 45, 60, 90, 180, 365, 730, 1461];

/** Scores by age 0, step, 2·step … to the horizon. `round`: what storing does to every entry. */
async function scores(options: {
  harmonics: number;
  halfLifeDays: number;
  stepDays: number;
  nowMs: number;
  round: (x: number) => number;
}): Promise<number[]> {
  const { harmonics, halfLifeDays, stepDays, round } = options;
  const definition = { encoder: "recency", field: "at", horizonDays, harmonics } as SpaceDefinition;
  const encoder = closedFormEncoder({ name: "recency", definition, candidates: [], fields: ["at"] }, []);
  assert(encoder !== null);
  const query = (await encoder.encodeQuery({ now: options.nowMs, halfLifeDays })).map(round);
  const times = agesOf(stepDays).map((age) => options.nowMs - age * dayMs);
  return (await encoder.encode(times)).map((result) => {
    assert(result.ok);
    return result.value.reduce((sum, x, i) => sum + round(x) * (query[i] as number), 0);
  });
}

function agesOf(stepDays: number): number[] {
  return Array.from({ length: Math.floor(horizonDays / stepDays) + 1 }, (_, i) => i * stepDays);
}

const decayAt = (halfLifeDays: number) => (age: number) => 0.5 ** (age / halfLifeDays);

function correlation(xs: readonly number[], ys: readonly number[]): number {
  const centred = (values: readonly number[]) => {
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    return values.map((x) => x - mean);
  };
  const [a, b] = [centred(xs), centred(ys)];
  const dot = (u: readonly number[], v: readonly number[]) =>
    u.reduce((sum, x, i) => sum + x * (v[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Positions whose score is not below the one before. */
function inversions(values: readonly number[]): number[] {
  return values.flatMap((x, i) => (i > 0 && x >= (values[i - 1] as number) ? [i] : []));
}

/** The age by which half of the whole fall from age 0 to the horizon is done. */
function middleAge(values: readonly number[]): number {
  const middle = ((values[0] as number) + (values.at(-1) as number)) / 2;
  return values.findIndex((x) => x <= middle);
}

/**
 * The least gap in days such that of two records that far apart the newer scores higher, with every entry rounded to
 * half precision: over 20 values of *now* around the circle and all ages where the decay is at least `decayMin`.
 */
async function halfPrecisionGapDays(halfLifeDays: number, decayMin: number): Promise<number> {
  const oldest = Math.min(horizonDays, Math.floor(halfLifeDays * -Math.log2(decayMin)));
  let gapDays = 1;
  for (let turn = 0; turn < 20; turn++) {
    const at = nowMs + turn * 173.7 * dayMs;
    const options = {
      harmonics: harmonicsDefault,
      halfLifeDays,
      stepDays: 1,
      nowMs: at,
      round: Math.f16round,
    };
    const daily = (await scores(options)).slice(0, oldest + 1);
    while (daily.some((score, age) => age >= gapDays && score >= (daily[age - gapDays] as number))) gapDays++;
  }
  return gapDays;
}

async function halfLifeTable(): Promise<string> {
  const rows = [];
  for (const halfLifeDays of halfLivesDays) {
    const options = { harmonics: harmonicsDefault, halfLifeDays, stepDays: 1, nowMs, round: Math.fround };
    const daily = await scores(options);
    const weekly = await scores({ ...options, stepDays: 7 });
    const decay = agesOf(1).map(decayAt(halfLifeDays));
    rows.push([
      halfLifeDays,
      correlation(daily, decay).toFixed(4),
      `${inversions(daily).length}, ${inversions(weekly).length}`,
      `${middleAge(daily)} (${middleAge(decay)})`,
      (daily[0] as number).toFixed(2),
      (daily.at(-1) as number).toFixed(2),
      `${await halfPrecisionGapDays(halfLifeDays, 0.1)}, ${await halfPrecisionGapDays(halfLifeDays, 0.01)}`,
    ]);
  }
  return table(
    [
      "half-life, days",
      "correlation with the decay",
      "inversions, 1- and 7-day steps",
      "age of half the fall (of the true decay)",
      "score at age 0",
      "at the horizon",
      "gap in days that half precision tells apart, decay ≥ .1, ≥ .01",
    ],
    rows,
  );
}

async function harmonicsTable(): Promise<string> {
  const rows = [];
  for (const harmonics of [8, 16, 32, 64, 128]) {
    const row: (string | number)[] = [harmonics, 2 * harmonics];
    for (const halfLifeDays of [30, 90, 365]) {
      const daily = await scores({ harmonics, halfLifeDays, stepDays: 1, nowMs, round: Math.fround });
      row.push(correlation(daily, agesOf(1).map(decayAt(halfLifeDays))).toFixed(4));
    }
    rows.push(row);
  }
  return table(["harmonics", "dimensions", "30 days", "90 days", "365 days"], rows);
}

const sinc = (x: number) => Math.sin(Math.PI * x) / (Math.PI * x);

/** Factors of harmonic k of K, as functions of k / (K + 1). */
const dampings: Readonly<Record<string, (share: number, n: number) => number>> = {
  none: () => 1,
  Fejér: (share) => 1 - share,
  "Lanczos σ": sinc,
  Hann: (share) => 0.5 + 0.5 * Math.cos(Math.PI * share),
  Gaussian: (share) => Math.exp(-4.5 * share ** 2),
  "Jackson (Fejér-Korovkin)": (share, n) =>
    (1 - share) * Math.cos(Math.PI * share) + Math.sin(Math.PI * share) / (n * Math.tan(Math.PI / n)),
  Parzen: (share) => (share <= 0.5 ? 1 - 6 * share ** 2 + 6 * share ** 3 : 2 * (1 - share) ** 3),
  "**Fejér × Lanczos σ**": (share) => (1 - share) * sinc(share),
};

/** The damped series in double precision, so that what is counted is the damping's and not the rounding's. */
function dampingTable(): string {
  const harmonics = harmonicsDefault;
  const periodDays = 2.4 * horizonDays;
  const rows = Object.entries(dampings).map(([name, damping]) => [
    name,
    ...[30, 60, 90, 365].map((halfLifeDays) => {
      const lambda = ((Math.LN2 / halfLifeDays) * periodDays) / (2 * Math.PI);
      const series = agesOf(1).map((age) => {
        let sum = 0;
        for (let k = 1; k <= harmonics; k++) {
          const coefficient = (1 - (-1) ** k * Math.exp(-lambda * Math.PI)) / (lambda ** 2 + k ** 2);
          const factor = damping(k / (harmonics + 1), harmonics + 1);
          sum += factor * coefficient * Math.cos((2 * Math.PI * k * age) / periodDays);
        }
        return sum;
      });
      const share = inversions(series).length / (series.length - 1);
      const matched = correlation(series, agesOf(1).map(decayAt(halfLifeDays))).toFixed(4);
      return `${matched}, ${share === 0 ? "0" : `${(100 * share).toFixed(1)}%`}`;
    }),
  ]);
  return table(["damping", "30 days", "60 days", "90 days", "365 days"], rows);
}

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)].join("\n");
}

/** The page with its tables made anew: each stands between `<!-- table: name -->` and `<!-- end -->`. */
export async function withTables(page: string): Promise<string> {
  const tables = new Map([
    ["half-lives", await halfLifeTable()],
    ["harmonics", await harmonicsTable()],
    ["dampings", dampingTable()],
  ]);
  const missing = new Set(tables.keys());
  const made = page.replace(/(<!-- table: (.+?) -->)[\s\S]*?(<!-- end -->)/g, (_, open, name, close) => {
    const text = tables.get(name);
    assert(text !== undefined, `there is no table "${name}"`);
    missing.delete(name);
    return `${open}\n${text}\n${close}`;
  });
  assert(missing.size === 0, `the page lacks ${[...missing].join(", ")}`);
  return made;
}

if (import.meta.main) writeFileSync(encodersPage, await withTables(readFileSync(encodersPage, "utf8")));
