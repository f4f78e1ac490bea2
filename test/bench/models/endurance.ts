import { strict as assert } from "node:assert";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Encoder } from "@medley/core";
import { ContentReader, openModelRuntime } from "@medley/models";
import { delaysDuring } from "../event-loop-delay.ts";
import { lengthMixes } from "../length-mixes.ts";
import type { Measurement } from "../measurement.ts";

/** The goal is meant for ten; fewer show whether it runs. */
const minutes = Number(process.env.MEDLEY_BENCH_MINUTES ?? "10");
/** While memory still settles: arenas grow to the largest batch that comes. */
const settlingShare = 0.3;
const sampleMs = 2_000;
const goalDelayMs = 20;
const goalMegabytesPerMinute = 1;
const packages = dirname(createRequire(import.meta.url).resolve("@medley/models"));
const pictures = ["photo.jpg", "coffee.webp", "astronaut.webp", "large.jpg", "tall.png", "palette.gif"];
const sounds = ["rms-1.opus", "slt-2.ogg", "awb-3.mp3", "kal16-1.opus"];

/** Texts, pictures, clips and searches together, more than the threads can do: memory stays, and the main thread is free. */
export async function run(): Promise<Measurement[]> {
  await using runtime = openModelRuntime({ environment: {} });
  await using pictureReader = new ContentReader({
    folder: join(packages, "../fixtures/image/pictures"),
    hosts: [],
  });
  await using soundReader = new ContentReader({ folder: join(packages, "audio/clips"), hosts: [] });
  const text = await runtime.textEncoder("all-MiniLM-L6-v2");
  const image = await runtime.imageEncoder("thin-resnet-50", { content: pictureReader });
  const audio = await runtime.audioEncoder("ge2e-voice", { content: soundReader });
  const { natural } = lengthMixes({ uniform: 1, natural: 2_000, short: 1 });
  const endMs = performance.now() + minutes * 60_000;
  let inputs = 0;
  const keepBusy = async (encoder: Encoder, values: readonly unknown[], packet: number, from: number) => {
    for (let at = from; performance.now() < endMs; at += packet) {
      const part = Array.from({ length: packet }, (_, index) => values[(at + index) % values.length]);
      const results = await encoder.encode(part);
      assert(results.every((result) => result.ok));
      inputs += packet;
    }
  };
  const search = async () => {
    for (let at = 0; performance.now() < endMs; at++) {
      await text.encodeQuery(natural.texts[at % natural.texts.length] as string);
      await sleep(100);
    }
  };
  const idleMs = (await delaysDuring(() => sleep(1_000))).p50Ms;
  const samples: { minute: number; megabytes: number }[] = [];
  const startedMs = performance.now();
  const sampling = setInterval(() => {
    samples.push({
      minute: (performance.now() - startedMs) / 60_000,
      megabytes: process.memoryUsage.rss() / 2 ** 20,
    });
  }, sampleMs);
  const delays = await delaysDuring(() =>
    Promise.all([
      keepBusy(text as Encoder, natural.texts, 100, 0),
      keepBusy(text as Encoder, natural.texts, 100, 1_000),
      keepBusy(image, pictures, 12, 0),
      keepBusy(audio, sounds, 8, 0),
      search(),
    ]),
  );
  clearInterval(sampling);
  const settled = samples.slice(Math.floor(samples.length * settlingShare));
  const slope = slopeOf(settled);
  const p99Ms = delays.p99Ms - idleMs;
  const [first, last] = [settled[0]?.megabytes ?? 0, settled.at(-1)?.megabytes ?? 0];
  const where = `${inputs} texts, pictures and clips in ${minutes} minutes on ${runtime.threads} session threads, with searches between`;
  return [
    {
      name: "memory under full load of three models, MB per minute",
      value: slope,
      goal: `at most ${goalMegabytesPerMinute}`,
      met: slope <= goalMegabytesPerMinute,
      detail: `${where}; slope of the resident set after the first ${settlingShare * 100} %: ${first.toFixed(0)} MB then, ${last.toFixed(0)} MB at the end, ${Math.max(...samples.map(({ megabytes }) => megabytes)).toFixed(0)} MB at most`,
    },
    {
      name: "event-loop delay under full load of three models, p99, ms",
      value: p99Ms,
      goal: `at most ${goalDelayMs}`,
      met: p99Ms <= goalDelayMs,
      detail: `${where}; longest ${(delays.maxMs - idleMs).toFixed(1)} ms`,
    },
  ];
}

/** Least squares. */
function slopeOf(samples: readonly { minute: number; megabytes: number }[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const [x0, y0] = [
    mean(samples.map(({ minute }) => minute)),
    mean(samples.map(({ megabytes }) => megabytes)),
  ];
  let [xy, xx] = [0, 0];
  for (const { minute, megabytes } of samples) {
    xy += (minute - x0) * (megabytes - y0);
    xx += (minute - x0) ** 2;
  }
  return xy / xx;
}
