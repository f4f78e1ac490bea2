import { strict as assert } from "node:assert";
import { openModelRuntime } from "@medley/models";
import { lengthMixes } from "../length-mixes.ts";
import { type Measurement, median } from "../measurement.ts";

/** As the embedding-worker has them in hand: three packets of a hundred. */
const packetTexts = 100;
const packetsInFlight = 3;
const counts = { uniform: 200, natural: 600, short: 600 };
const goalShare = 0.9;
const goalWaitMs = 50;

/** How much of what the model computes is padding when packets meet in batches, and what meeting costs a lone text. */
export async function run(): Promise<Measurement[]> {
  await using runtime = openModelRuntime({ environment: {} });
  const encoder = await runtime.textEncoder("all-MiniLM-L6-v2");
  const measurements: Measurement[] = [];
  const mixes = lengthMixes(counts);
  for (const { name, texts } of Object.values(mixes)) {
    const before = runtime.counters;
    let next = 0;
    const lane = async () => {
      while (next < texts.length) {
        const packet = texts.slice(next, next + packetTexts);
        next += packetTexts;
        const results = await encoder.encode(packet);
        assert(results.every((result) => result.ok));
      }
    };
    await Promise.all(Array.from({ length: packetsInFlight }, lane));
    const after = runtime.counters;
    const useful = after.usefulValues - before.usefulValues;
    const share = useful / (after.paddedValues - before.paddedValues);
    const runs = after.modelCalls - before.modelCalls;
    measurements.push({
      name: `useful / padded tokens, ${name}`,
      value: share,
      goal: `at least ${goalShare}`,
      met: share >= goalShare,
      detail: `${texts.length} texts of ${Math.round(useful / texts.length)} tokens on average in packets of ${packetTexts}, ${packetsInFlight} at once; ${runs} runs`,
    });
  }
  return [...measurements, await loneText()];

  /** A record on an idle runtime goes through the gatherer, a search past it. */
  async function loneText(): Promise<Measurement> {
    const [gathered, direct]: [number[], number[]] = [[], []];
    for (let i = 0; i < 60; i++) {
      const text = `a text of its own, number ${i}`;
      const startedMs = performance.now();
      await encoder.encode([text]);
      const halfMs = performance.now();
      await encoder.encodeQuery(text);
      gathered.push(halfMs - startedMs);
      direct.push(performance.now() - halfMs);
    }
    const value = median(gathered.slice(10)) - median(direct.slice(10));
    return {
      name: "wait that gathering adds to a lone text, ms",
      value,
      goal: `at most ${goalWaitMs}`,
      met: value <= goalWaitMs,
      detail: `median of 50: a record takes ${median(gathered.slice(10)).toFixed(1)} ms, the same text as a search ${median(direct.slice(10)).toFixed(1)} ms; under load a row that fills no batch waits at most 20 ms`,
    };
  }
}
