import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { unpacked } from "./reference.fixture.ts";
import { Resampler } from "./resample.ts";

/** In blocks of `blockSamples`, as clips come. */
function resampled(
  samples: Float32Array,
  options: { from: number; to: number; blockSamples?: number },
): Float32Array {
  const { blockSamples = 1_000 } = options;
  const resampler = new Resampler(options);
  const parts: number[] = [];
  for (let at = 0; at < samples.length; at += blockSamples) {
    parts.push(...resampler.push(samples.subarray(at, at + blockSamples)));
  }
  return Float32Array.from([...parts, ...resampler.end()]);
}

function tone(options: { hertz: number; rate: number; seconds: number }): Float32Array {
  const { hertz, rate, seconds } = options;
  return Float32Array.from({ length: Math.round(rate * seconds) }, (_, i) =>
    Math.sin((2 * Math.PI * hertz * i) / rate),
  );
}

/** Level of the middle half, where the ends do not count, relative to a full sine. */
function decibels(samples: Float32Array): number {
  const middle = samples.subarray(Math.floor(samples.length / 4), Math.floor((samples.length * 3) / 4));
  const power = middle.reduce((sum, x) => sum + x * x, 0) / middle.length;
  return 10 * Math.log10(2 * power + 1e-30);
}

const references: { from: number; to: number; samples: string }[] = JSON.parse(
  readFileSync(join(import.meta.dirname, "reference/resampled.json"), "utf8"),
);

test.for(references)(
  "$from to $to Hz: what torchaudio gives with the same filter",
  ({ from, to, samples }) => {
    const chirp = Float32Array.from({ length: 3_000 }, (_, i) => Math.sin(1e-3 * i ** 1.6));
    const ours = resampled(chirp, { from, to });
    const theirs = unpacked(samples);
    expect(ours.length).toBe(theirs.length);
    const most = ours.reduce((max, x, i) => Math.max(max, Math.abs(x - (theirs[i] as number))), 0);
    console.log(`${from} to ${to}: at most ${most.toExponential(1)} from torchaudio`);
    expect(most).toBeLessThan(1e-6);
  },
);

// Rates with hardly a common divisor take the nearest of fewer phases.
const rates = [44_100, 48_000, 22_050, 96_000, 384_000, 44_101, 11_025, 8_000];

test.for(rates)("%d to 16,000 Hz: flat within .1 dB up to 90% of the lower Nyquist frequency", (from) => {
  const to = 16_000;
  const nyquist = Math.min(from, to) / 2;
  const errors = [0.05, 0.3, 0.6, 0.8, 0.9].map((share) => {
    return Math.abs(
      decibels(resampled(tone({ hertz: nyquist * share, rate: from, seconds: 0.4 }), { from, to })),
    );
  });
  console.log(`${from}: passband error ${Math.max(...errors).toFixed(4)} dB`);
  expect(Math.max(...errors)).toBeLessThanOrEqual(0.1);
});

test.for(rates.filter((rate) => rate > 16_000))(
  "%d to 16,000 Hz: a tone above 8 kHz comes through at -60 dB or less",
  (from) => {
    const tones = [8_000, 8_050, 8_200, 9_000, 10_500, 15_000, 19_900].filter((hertz) => hertz < from / 2);
    const levels = tones.map((hertz) =>
      decibels(resampled(tone({ hertz: hertz + 3, rate: from, seconds: 0.4 }), { from, to: 16_000 })),
    );
    console.log(`${from}: alias at most ${Math.max(...levels).toFixed(1)} dB`);
    expect(Math.max(...levels)).toBeLessThanOrEqual(-60);
  },
);

test("upwards, the image above the old Nyquist frequency is at -60 dB or less", () => {
  const rate = 16_000;
  const output = resampled(tone({ hertz: 3_500, rate: 8_000, seconds: 0.5 }), { from: 8_000, to: rate });
  const share = (hertz: number) => {
    const [re, im] = output.reduce(
      ([a, b], x, i) => {
        const window = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / output.length);
        const angle = (2 * Math.PI * hertz * i) / rate;
        return [a + x * window * Math.cos(angle), b + x * window * Math.sin(angle)];
      },
      [0, 0] as [number, number],
    );
    return Math.hypot(re, im);
  };
  expect(20 * Math.log10(share(4_500) / share(3_500))).toBeLessThanOrEqual(-60);
});

test("how a clip is cut into blocks changes nothing", () => {
  const noise = Float32Array.from({ length: 3_000 }, (_, i) => Math.sin(i * i));
  const rate = fc.integer({ min: 4_000, max: 50_000 });
  fc.assert(
    fc.property(rate, rate, fc.integer({ min: 1, max: 4_000 }), (from, to, blockSamples) => {
      const whole = resampled(noise, { from, to, blockSamples: noise.length });
      expect(whole.length).toBe(Math.ceil((noise.length * to) / from));
      expect(resampled(noise, { from, to, blockSamples })).toEqual(whole);
    }),
    { numRuns: 20 },
  );
});

test("a clip shorter than the filter keeps its length", () => {
  for (const samples of [0, 1, 5]) {
    const output = resampled(new Float32Array(samples).fill(1), { from: 48_000, to: 16_000 });
    expect(output.length).toBe(Math.ceil(samples / 3));
    expect(output.every(Number.isFinite)).toBe(true);
  }
});
