import { expect, test } from "vitest";
import { framesOf, samplesMinOf } from "../artefact/audio-model.ts";
import { selectRows, splitRows } from "../runtime/rows.ts";
import { cosine, openAudio, references, soundFile, unpacked, vectorOf, wavOf } from "./reference.fixture.ts";

const cosineMin = 0.9999;
const differenceMax = 1e-5;
const group = await openAudio("wav2vec2-group");
const layer = await openAudio("wav2vec2-layer");
const expected = references();
const clips = expected.map(({ file }) => soundFile(file));

function unit(vector: Float32Array): Float32Array {
  const length = Math.sqrt(vector.reduce((sum, x) => sum + x * x, 0));
  return vector.map((x) => x / length);
}

function difference(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - (b[i] as number))), 0);
}

/** Noise that is the same each time. */
function noise(samples: number, seed = 1): Float32Array {
  let state = seed;
  return Float32Array.from({ length: samples }, () => {
    state = (state * 48_271) % 0x7fffffff;
    return (state / 0x7fffffff - 0.5) / 2;
  });
}

test.for([["group", group] as const, ["layer", layer] as const])(
  "%s: clips of many formats, rates and lengths have the vectors that transformers gives them",
  async ([kind, opened]) => {
    const differences: number[] = [];
    const cosines: number[] = [];
    for (const [index, reference] of expected.entries()) {
      const vector = await vectorOf(opened, clips[index] as Uint8Array);
      const theirs = unit(unpacked(reference[kind]));
      differences.push(difference(vector, theirs));
      cosines.push(cosine(vector, theirs));
      console.log(
        `${kind} ${reference.file}: cosine ${cosines.at(-1)?.toFixed(7)}, most ${differences.at(-1)?.toExponential(1)}`,
      );
    }
    expect(Math.min(...cosines)).toBeGreaterThanOrEqual(cosineMin);
    expect(Math.max(...differences)).toBeLessThanOrEqual(differenceMax);
    // Two clips are further apart than that, so that a wrong one would be seen.
    const others = expected.map((reference) =>
      cosine(unpacked(reference[kind]), unpacked(expected[0]?.[kind] as string)),
    );
    expect(others.filter((other) => other > cosineMin)).toHaveLength(1);
  },
);

test("clips become as many samples as with torchaudio", async () => {
  const { lengths, failures } = await group.session.prepare(clips);
  expect(failures).toEqual([]);
  expect([...lengths]).toEqual(expected.map(({ samples }) => samples));
});

test("with a mask, a clip's vector does not depend on its neighbours or on padding", async () => {
  expect(layer.model.sharesBatches).toBe("padded");
  const rows = await layer.session.prepare(clips);
  const together = await layer.session.run(rows);
  const { dimensions } = layer.model;
  const alone = splitRows(rows as typeof rows & { values: Float32Array });
  for (const [index, row] of alone.entries()) {
    const { vectors } = await layer.session.run(selectRows([row], [0]));
    const inBatch = together.vectors.subarray(index * dimensions, (index + 1) * dimensions);
    expect(difference(inBatch, vectors)).toBeLessThanOrEqual(1e-6);
  }
  expect(together.paddedValues).toBe(rows.lengths.length * Math.max(...rows.lengths));
  expect(together.usefulValues).toBe(rows.values.length);
});

test("without a mask, only clips of one length share a batch", async () => {
  expect(group.model.sharesBatches).toBe("equal length");
  const equal = await group.session.prepare(
    [1, 2, 3].map((seed) => wavOf([noise(6_000, seed)], { sampleRate: 16_000 })),
  );
  const together = await group.session.run(equal);
  for (const [index, row] of splitRows(equal as typeof equal & { values: Float32Array }).entries()) {
    const { vectors } = await group.session.run(selectRows([row], [0]));
    const { dimensions } = group.model;
    expect(
      difference(together.vectors.subarray(index * dimensions, (index + 1) * dimensions), vectors),
    ).toBeLessThanOrEqual(1e-6);
  }
  const unequal = { values: new Float32Array(5_000), lengths: Int32Array.of(2_000, 3_000) };
  await expect(group.session.run(unequal)).rejects.toThrow("equally long");
});

test("samples are brought to mean 0 and variance 1", async () => {
  const loud = noise(5_000).map((sample) => 0.2 + sample);
  const prepared = await group.session.prepare([wavOf([loud], { sampleRate: 16_000, float: true })]);
  const values = [...prepared.values];
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  expect(mean).toBeCloseTo(0, 5);
  expect(variance).toBeCloseTo(1, 4); // A hair below: 1e-7 is added to it.
});

test("a clip that is silent throughout says nothing, one that is too short fails alone", async () => {
  const sampleRate = 16_000;
  const { lengths, failures } = await group.session.prepare([
    wavOf([new Float32Array(5_000)], { sampleRate }),
    wavOf([new Float32Array(0)], { sampleRate }),
    wavOf([new Float32Array(5_000).fill(0.25)], { sampleRate }),
    wavOf([noise(5_000), noise(5_000).map((x) => -x)], { sampleRate, float: true }),
    wavOf([noise(399)], { sampleRate }),
    wavOf([noise(400)], { sampleRate }),
  ]);
  expect([...lengths]).toEqual([0, 0, 0, 0, 0, 400]);
  expect(failures).toEqual([
    {
      index: 4,
      message: "the clip is too short: 399 samples at 16000 a second; the model takes 400 or more",
      mend: "leave so short a clip out",
    },
  ]);
});

test("what is beyond secondsMax is cut, and does not change what is before", async () => {
  const short = await openAudio("wav2vec2-layer", { secondsMax: 0.5 });
  expect(short.model.identity).not.toBe(layer.model.identity);
  const clip = noise(44_100);
  const cut = await short.session.prepare([wavOf([clip], { sampleRate: 44_100 })]);
  expect([...cut.lengths]).toEqual([8_000]);
  const sameRate = await short.session.prepare([wavOf([noise(20_000)], { sampleRate: 16_000 })]);
  const whole = await short.session.prepare([wavOf([noise(8_000)], { sampleRate: 16_000 })]);
  expect(sameRate.values).toEqual(whole.values);
});

test("a row whose vector is not finite is named", async () => {
  const values = noise(1_000).fill(Number.NaN, 500);
  const { failed } = await layer.session.run({
    values: Float32Array.from([...noise(1_000), ...values]),
    lengths: Int32Array.of(1_000, 1_000),
  });
  expect(failed).toEqual([1]);
});

test("frames and the least samples by the formula of transformers", () => {
  const { convolutions } = layer.model;
  expect(samplesMinOf(convolutions)).toBe(400);
  expect([399, 400, 719, 720, 16_000].map((samples) => framesOf(convolutions, samples))).toEqual([
    0, 1, 1, 2, 49,
  ]);
});
