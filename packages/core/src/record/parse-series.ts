import type { Series } from "../fields.ts";
import { fail, type Result, succeed } from "../result.ts";
import { isObject, kindOf, show } from "./describe-value.ts";
import { parseTimestamp } from "./parse-timestamp.ts";

export const seriesStepsMax = 65_536;
export const seriesChannelsMax = 1_024;
/** Steps times channels: a packet must fit a queue's message. */
export const seriesValuesMax = 262_144;

const seriesKeys = ["times", "values"];

/**
 * A window of measurements: a list of numbers (one channel), a list of steps that are each a list of channels, or an
 * object `{times, values}` of such values with the time of each step. null: not measured.
 */
export function parseSeries(input: unknown): Result<Series, string> {
  if (Array.isArray(input)) return parseSteps(input, null);
  if (!isObject(input)) {
    return fail(
      `must be a list of numbers, a list of lists of them, or {times, values}, not ${kindOf(input)}`,
    );
  }
  const stray = Object.keys(input).find((key) => !seriesKeys.includes(key));
  if (stray !== undefined) return fail(`has the key ${show(stray)}; a series has times and values`);
  const { values, times = null } = input;
  if (!Array.isArray(values)) return fail(`has values that must be a list, not ${kindOf(values)}`);
  if (times !== null && !Array.isArray(times)) {
    return fail(`has times that must be a list, one per step, or left out, not ${kindOf(times)}`);
  }
  return parseSteps(values, times);
}

function parseSteps(steps: readonly unknown[], times: readonly unknown[] | null): Result<Series, string> {
  if (steps.length === 0) return fail("has no step; leave the field out instead");
  if (steps.length > seriesStepsMax) {
    return fail(`has ${steps.length} steps, at most ${seriesStepsMax} are taken; cut it, or take means`);
  }
  const values: (readonly (number | null)[])[] = [];
  let measured = false;
  for (const [at, step] of steps.entries()) {
    const channels = Array.isArray(step) ? step : [step];
    const first = values[0] ?? channels;
    if (channels.length === 0) return fail(`has no channel at step ${at}`);
    if (channels.length !== first.length) {
      return fail(
        `has ${channels.length} channels at step ${at} and ${first.length} at step 0; give null for what is missing`,
      );
    }
    const problem = sizeProblem(steps.length, channels.length) ?? channelProblem(channels, at);
    if (problem !== undefined) return fail(problem);
    measured ||= channels.some((value) => value !== null);
    values.push(channels);
  }
  if (!measured) return fail("has no number at all; leave the field out instead");
  if (times === null) return succeed({ times: null, values });
  const parsed = parseTimes(times, steps.length);
  return parsed.ok ? succeed({ times: parsed.value, values }) : parsed;
}

function sizeProblem(steps: number, channels: number): string | undefined {
  if (channels > seriesChannelsMax) return `has ${channels} channels, at most ${seriesChannelsMax} are taken`;
  if (steps * channels <= seriesValuesMax) return undefined;
  return `has ${steps} steps of ${channels} channels, at most ${seriesValuesMax} values are taken; cut it, or take means`;
}

function channelProblem(channels: readonly unknown[], at: number): string | undefined {
  const wrong = channels.findIndex((value) => {
    return value !== null && (typeof value !== "number" || !Number.isFinite(Math.fround(value)));
  });
  if (wrong < 0) return undefined;
  return `has ${show(channels[wrong])} at step ${at}, channel ${wrong}; a value is a finite number, or null where it was not measured`;
}

function parseTimes(times: readonly unknown[], steps: number): Result<number[], string> {
  if (times.length !== steps) return fail(`has ${times.length} times for ${steps} steps; give one per step`);
  const parsed: number[] = [];
  for (const [at, time] of times.entries()) {
    const epochMs = parseTimestamp(time);
    if (!epochMs.ok) return fail(`has a time at step ${at} that ${epochMs.failure}`);
    if (at > 0 && epochMs.value <= (parsed[at - 1] as number)) {
      return fail(
        `has a time at step ${at} that is not after the one before; sort the steps, and keep one per time`,
      );
    }
    parsed.push(epochMs.value);
  }
  return succeed(parsed);
}
