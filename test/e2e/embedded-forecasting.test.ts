import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { Random, type TaskReport } from "@medley/training";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

const [lookback, horizon, channels] = [96, 24, 7];

interface Reading {
  readonly time: string;
  readonly values: readonly number[];
}

/** A transformer's load and oil temperature, hour by hour (Zhou et al. 2021), as the example `electricity` has them. */
function readings(): readonly Reading[] {
  const file = new URL("../../examples/electricity/ETTh1.csv.gz", import.meta.url);
  const [, ...lines] = gunzipSync(readFileSync(file)).toString().trim().split("\n");
  return lines.map((line) => {
    const [date, ...values] = line.split(",");
    return { time: `${(date as string).replace(" ", "T")}Z`, values: values.map(Number) };
  });
}

const seriesOf = (part: readonly Reading[]) => ({
  times: part.map(({ time }) => time),
  values: part.map(({ values }) => values),
});

interface Day {
  readonly id: string;
  readonly readings: ReturnType<typeof seriesOf>;
  /** The readings as they are, end to end. */
  readonly raw: readonly number[];
  readonly last: readonly number[];
  readonly next: ReturnType<typeof seriesOf>;
}

/** Four days, each ending with a midnight, and the day after them. */
function windows(): Day[] {
  const all = readings();
  const ends = Array.from({ length: Math.floor((all.length - lookback) / horizon) }, (_, day) => {
    return lookback + day * horizon;
  });
  return ends.map((end) => {
    const before = all.slice(end - lookback, end);
    return {
      id: `d${String(end).padStart(6, "0")}`,
      readings: seriesOf(before),
      raw: before.flatMap(({ values }) => values),
      last: before.at(-1)?.values as number[],
      next: seriesOf(all.slice(end, end + horizon)),
    };
  });
}

const linear = { field: "readings", dimensions: 32, lookback, horizon };
const config = {
  collections: {
    days: {
      fields: { readings: "series", raw: `vector(${lookback * channels})`, next: "series" },
      spaces: {
        course: {
          candidates: [
            { encoder: "vector", field: "raw" },
            { encoder: "dlinear", ...linear },
            { encoder: "nlinear", ...linear },
          ],
        },
      },
      tasks: { tomorrow: { kind: "forecasting", label: "next", after: "readings" } },
    },
  },
};

let workplace: Workplace;

beforeAll(() => {
  workplace = new Workplace(config);
  const days = windows();
  workplace.write("days.jsonl", jsonLines(days.map(({ last: _, ...day }) => day)));
  // Each day goes on from its own last readings as some other one did.
  const others = new Random(1).shuffle([...days]);
  const shuffled = days.map((day, at) => {
    const [from, other] = [day.last, others[at] as Day];
    const values = other.next.values.map((step) =>
      step.map((value, channel) => value - (other.last[channel] as number) + (from[channel] as number)),
    );
    return { ...day, last: undefined, next: { ...day.next, values } };
  });
  workplace.write("shuffled.jsonl", jsonLines(shuffled));
});
afterAll(() => workplace[Symbol.asyncDispose]());

interface Planned {
  readonly plan: readonly { readonly proposed: string | null; readonly verdict: string }[];
  readonly tasks: readonly TaskReport[];
}

async function planned(file: string): Promise<Planned> {
  const { data, exitCode } = await workplace.runJson(["assign", "days", "--from", file, "--plan"]);
  expect({ exitCode, data }).toMatchObject({ exitCode: 0, data: { records: { parted: "time" } } });
  return data as Planned;
}

test("days near a day tell the next one, NLinear's by the course from the last reading on, and the newest days confirm it", async () => {
  const { plan, tasks } = await planned("days.jsonl");
  expect(plan).toMatchObject([{ proposed: "nlinear of readings, dimensions 32, lookback 96, horizon 24" }]);
  const [{ arms, test: look } = { arms: [], test: null }] = (tasks[0]?.spaces ?? []).map(
    ({ decision }) => decision,
  );
  const [raw, , nlinear] = arms;
  // Sure for all candidates at once.
  expect(raw?.behind.low).toBeGreaterThan(0);
  expect(nlinear?.behind.difference).toBe(0);
  expect(look?.isConfirmed).toBe(true);
  expect(look?.gain.low).toBeGreaterThan(0.3);
});

test("how other days went on is no evidence", async () => {
  const { plan, tasks } = await planned("shuffled.jsonl");
  expect(tasks[0]?.hasEvidence).toBe(false);
  expect(plan).toMatchObject([{ proposed: null, verdict: "no_evidence" }]);
});
