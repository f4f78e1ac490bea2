import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { readClip } from "./read-clip.ts";
import { openAudio, soundFile, vectorOf, wavOf } from "./reference.fixture.ts";

const sampleRate = 16_000;
const read = (clip: Uint8Array, secondsMax = 30) => readClip(clip, { sampleRate, secondsMax });

/** A sine of 440 Hz. */
function tone(options: { rate: number; seconds: number; level?: number }): Float32Array {
  const { rate, seconds, level = 0.5 } = options;
  return Float32Array.from(
    { length: rate * seconds },
    (_, i) => level * Math.sin((2 * Math.PI * 440 * i) / rate),
  );
}

test("channels are mixed to their mean", async () => {
  const [left, right] = [tone({ rate: sampleRate, seconds: 1 }), new Float32Array(sampleRate)];
  const mono = await read(wavOf([left, right], { sampleRate, float: true }));
  expect(mono).toEqual(left.map((sample) => sample / 2));
});

test("a clip at the model's rate is not touched", async () => {
  const samples = tone({ rate: sampleRate, seconds: 0.7 });
  expect(await read(wavOf([samples], { sampleRate, float: true }))).toEqual(samples);
});

test.for([
  ["just above", 1.1e-6, 16_000],
  ["just below", 0.9e-6, 0],
] as const)("silence ends %s 120 dB below full scale", async ([, peakToPeak, expected]) => {
  const samples = tone({ rate: sampleRate, seconds: 1, level: peakToPeak / 2 });
  expect((await read(wavOf([samples], { sampleRate, float: true }))).length).toBe(expected);
});

test.for([8_000, 44_100, 384_000])("%d Hz: cut at secondsMax exactly", async (rate) => {
  const clip = wavOf([tone({ rate, seconds: 3 })], { sampleRate: rate });
  expect((await read(clip, 1.5)).length).toBe(24_000);
  expect((await read(clip)).length).toBe(48_000);
  // What is kept is the beginning of the whole, to the last sample.
  expect(await read(clip, 1.5)).toEqual((await read(clip)).subarray(0, 24_000));
});

test("what is beyond secondsMax is not even looked at", async () => {
  const samples = tone({ rate: sampleRate, seconds: 5 });
  samples[70_000] = Number.NaN;
  const clip = wavOf([samples], { sampleRate, float: true });
  expect((await read(clip, 2)).length).toBe(32_000);
  await expect(read(clip)).rejects.toThrow("sample 70000 is not a finite number");
});

test("a coded clip is near to the one that it was made from", async () => {
  // Two codecs, one sentence each: their loudness is alike, and nothing is silent or beyond full scale.
  for (const file of ["clips/slt-1.opus", "clips/slt-2.ogg", "clips/slt-3.mp3"]) {
    const samples = await read(soundFile(file));
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(peak).toBeGreaterThan(0.1);
    expect(peak).toBeLessThan(1.2);
  }
});

test("in a worker thread, decoders start no threads of their own and give the same vectors", async () => {
  const opened = await openAudio("wav2vec2-group");
  const files = [
    "clips/slt-1.opus",
    "clips/slt-2.ogg",
    "clips/slt-3.mp3",
    "reference/stereo-44100.flac",
    "reference/mono-8000.wav",
  ];
  const clips = files.map(soundFile);
  const program = fileURLToPath(new URL("../runtime/session-thread.ts", import.meta.url));
  const source = `
    const threads = require("node:worker_threads");
    const Worker = threads.Worker;
    threads.Worker = class { constructor() { throw new Error("a decoder started a thread"); } };
    require("node:module").syncBuiltinESMExports();
    import(${JSON.stringify(`file://${program}`)});
  `;
  const worker = new Worker(source, { eval: true, workerData: null });
  const ask = (id: number, job: object) =>
    new Promise<{ ok: boolean; value: { values: Float32Array; lengths: Int32Array } }>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
      worker.postMessage({ id, job });
    });
  expect(await ask(1, { kind: "open", model: opened.model, device: "cpu" })).toMatchObject({ ok: true });
  const { value } = await ask(2, { kind: "prepare", model: opened.model.identity, inputs: clips });
  const here = await opened.session.prepare(clips);
  expect(value.lengths).toEqual(here.lengths);
  expect(value.values).toEqual(here.values);
  expect((await vectorOf(opened, clips[0] as Uint8Array)).length).toBe(32);
  await worker.terminate();
});
