import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readClip } from "./read-clip.ts";
import { cosine, openAudio, soundFile, unpacked, vectorOf, wavOf } from "./reference.fixture.ts";
import { Resampler } from "./resample.ts";

const sampleRate = 16_000;
const voices = ["espeak", "espeak-f3", "awb", "rms", "slt", "kal16"];
const endings = ["opus", "ogg", "mp3"];
const files = voices.flatMap((voice) =>
  endings.map((ending, i) => ({ voice, file: `clips/${voice}-${i + 1}.${ending}` })),
);
const opened = await openAudio("ge2e-voice");
const clips = files.map(({ file }) => soundFile(file));
const vectors: Float32Array[] = [];
for (const clip of clips) vectors.push(await vectorOf(opened, clip));

test("every clip's voice is what Resemblyzer itself gives", () => {
  const expected: { file: string; vector: string }[] = JSON.parse(
    readFileSync(join(import.meta.dirname, "reference/voices.json"), "utf8"),
  );
  expect(expected.map(({ file }) => file).sort()).toEqual(files.map(({ file }) => file).sort());
  const cosines = expected.map(({ file, vector }) =>
    cosine(unpacked(vector), vectors[files.findIndex((each) => each.file === file)] as Float32Array),
  );
  console.log(`cosine to Resemblyzer's: min ${Math.min(...cosines).toFixed(7)}`);
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.9999);
});

test("the nearest clip is of the same voice, and voices do not overlap", () => {
  const same: number[] = [];
  const different: number[] = [];
  for (const [i, a] of vectors.entries()) {
    const others = files.map(({ voice }, j) => ({
      voice,
      score: i === j ? -1 : cosine(a, vectors[j] as Float32Array),
    }));
    const nearest = others.reduce((best, other) => (other.score > best.score ? other : best));
    expect(nearest.voice).toBe(files[i]?.voice);
    for (const [j, { voice, score }] of others.entries()) {
      if (i < j) (voice === files[i]?.voice ? same : different).push(score);
    }
  }
  const mean = (scores: number[]) =>
    (scores.reduce((sum, score) => sum + score, 0) / scores.length).toFixed(3);
  console.log(`same voice: min ${Math.min(...same).toFixed(3)}, mean ${mean(same)}`);
  console.log(`different voices: max ${Math.max(...different).toFixed(3)}, mean ${mean(different)}`);
  expect(Math.min(...same)).toBeGreaterThan(Math.max(...different));
});

function resampled(samples: Float32Array, from: number, to: number): Float32Array {
  const resampler = new Resampler({ from, to });
  return Float32Array.from([...resampler.push(samples), ...resampler.end()]);
}

function noise(samples: Float32Array): Float32Array {
  let state = 1;
  return samples.map((sample) => {
    state = (state * 48_271) % 0x7fffffff;
    return sample + 0.02 * (state / 0x7fffffff - 0.5);
  });
}

/** Another tempo at the same pitch, by WSOLA (Verhelst and Roelands 1993): each window is taken where it fits best. */
function faster(samples: Float32Array, tempo: number): Float32Array {
  const [window, hop, reach] = [512, 256, 128];
  const output = new Float32Array(Math.floor(samples.length / tempo) - 2 * window);
  let follows = 0;
  for (let to = 0; to + window <= output.length; to += hop) {
    let [best, bestScore] = [0, Number.NEGATIVE_INFINITY];
    for (let shift = 0; shift <= 2 * reach; shift += 4) {
      const from = Math.floor(to * tempo) + shift;
      let score = 0;
      for (let i = 0; i < hop; i += 2)
        score += (samples[from + i] as number) * (samples[follows + i] as number);
      if (score > bestScore) [best, bestScore] = [from, score];
    }
    for (let i = 0; i < window; i++) {
      const fade = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / window);
      output[to + i] = (output[to + i] as number) + fade * (samples[best + i] as number);
    }
    follows = best + hop;
  }
  return output;
}

/** What may happen to a recording on its way. Each gives samples and their rate. */
const variants: Readonly<Record<string, (samples: Float32Array) => readonly [Float32Array, number]>> = {
  noise: (samples) => [noise(samples), sampleRate],
  "half as loud": (samples) => [samples.map((sample) => sample / 2), sampleRate],
  "tempo 1.1": (samples) => [faster(samples, 1.1), sampleRate],
  "trimmed by 0.4 s": (samples) => [samples.subarray(3_200, -3_200), sampleRate],
  telephone: (samples) => [resampled(samples, sampleRate, 8_000), 8_000],
};

test.for(Object.keys(variants))("%s: a clip is nearer to its original than to any other", async (name) => {
  const scores: number[] = [];
  for (const [i, clip] of clips.entries()) {
    const samples = await readClip(clip, { sampleRate, secondsMax: 30 });
    const [varied, rate] = (variants[name] as (typeof variants)[string])(samples);
    const vector = await vectorOf(opened, wavOf([varied], { sampleRate: rate }));
    const cosines = vectors.map((other) => cosine(vector, other));
    const own = cosines[i] as number;
    scores.push(own);
    expect(Math.max(...cosines)).toBe(own);
  }
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  console.log(
    `${name}: cosine to the original min ${Math.min(...scores).toFixed(3)}, mean ${mean.toFixed(3)}`,
  );
});

test("clips of equal length share a batch, any others are run alone", async () => {
  expect(opened.model.sharesBatches).toBe("equal length");
  const [a, b] = await Promise.all(
    clips.slice(0, 2).map((clip) => readClip(clip, { sampleRate, secondsMax: 2 })),
  );
  const two = [a as Float32Array, b as Float32Array].map((samples) =>
    wavOf([samples], { sampleRate, float: true }),
  );
  const { failures: _, ...rows } = await opened.session.prepare(two);
  const { vectors: together } = await opened.session.run(rows);
  for (const [i, clip] of two.entries()) {
    const alone = await vectorOf(opened, clip);
    expect(cosine(together.subarray(i * 256, (i + 1) * 256), alone)).toBeCloseTo(1, 6);
  }
});

test("of any length: the shortest, a window's, one above, and many windows'", async () => {
  const speech = await readClip(clips[0] as Uint8Array, { sampleRate, secondsMax: 30 });
  for (const samples of [400, 25_599, 25_600, 25_601, 31_519, 31_520, 37_920, 60_000]) {
    const vector = await vectorOf(opened, wavOf([speech.subarray(8_000, 8_000 + samples)], { sampleRate }));
    expect(vector.length).toBe(256);
  }
});
