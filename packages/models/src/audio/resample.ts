import { strict as assert } from "node:assert";

/**
 * Zero crossings of the sinc on each side, where it falls off relative to the lower of both Nyquist frequencies, and
 * the Kaiser window's β: flat to .002 dB up to 90% of it, below -90 dB above it (measured in resample.test.ts).
 */
export const filter = { zeroCrossings: 64, rolloff: 0.95, beta: 9 } as const;

/**
 * Filter values held: 4 MB. Rates with hardly a common divisor (44,101 to 16,000) would need more phases; they take the
 * nearest of fewer, an error below -70 dB.
 */
const bankValuesMax = 2 ** 20;

/**
 * Changes the rate of one channel, block by block: a windowed sinc in polyphase form (J. O. Smith, "Digital Audio
 * Resampling"), of the design of torchaudio's `resample`, which it equals with the same filter: audio models are
 * trained on its output or librosa's. Output n is at n / `to` seconds; there are ceil(samples · to / from) of them.
 * Holds the filter's width of input, not the clip.
 */
export class Resampler {
  readonly #from: number;
  readonly #to: number;
  readonly #bank: Float32Array;
  readonly #phases: number;
  readonly #taps: number;
  /** Input from `#start` on; before the clip's begin and after its end there are zeros. */
  #input: Float32Array;
  #inputLength: number;
  #start: number;
  #taken = 0;
  #given = 0;

  constructor(options: { from: number; to: number }) {
    assert(Number.isSafeInteger(options.from) && options.from > 0);
    assert(Number.isSafeInteger(options.to) && options.to > 0);
    const divisor = greatestCommonDivisor(options.from, options.to);
    this.#from = options.from / divisor;
    this.#to = options.to / divisor;
    const cutoff = (Math.min(this.#from, this.#to) / this.#from) * filter.rolloff; // Of the input's Nyquist frequency.
    const halfTaps = Math.ceil(filter.zeroCrossings / cutoff) + 1;
    this.#taps = 2 * halfTaps;
    this.#phases = Math.min(this.#to, Math.max(1, Math.floor(bankValuesMax / this.#taps)));
    this.#bank = cachedBank(this.#phases, halfTaps, cutoff);
    this.#start = 1 - halfTaps;
    this.#input = new Float32Array(4 * this.#taps);
    this.#inputLength = halfTaps - 1;
  }

  /** The output that `samples` make possible. */
  push(samples: Float32Array): Float32Array {
    this.#taken += samples.length;
    this.#append(samples);
    // The last tap of output n is at floor(n · from / to) + halfTaps, and one more where the phase is rounded up.
    const end = this.#start + this.#inputLength - this.#taps / 2 - 1;
    return this.#give(Math.max(this.#given, Math.ceil((end * this.#to) / this.#from)));
  }

  /** The rest, after the last `push`. */
  end(): Float32Array {
    this.#append(new Float32Array(this.#taps));
    return this.#give(Math.ceil((this.#taken * this.#to) / this.#from));
  }

  #append(samples: Float32Array): void {
    const length = this.#inputLength + samples.length;
    if (length > this.#input.length) {
      const larger = new Float32Array(2 * length);
      larger.set(this.#input.subarray(0, this.#inputLength));
      this.#input = larger;
    }
    this.#input.set(samples, this.#inputLength);
    this.#inputLength = length;
  }

  #give(until: number): Float32Array {
    const taps = this.#taps;
    const output = new Float32Array(until - this.#given);
    for (let i = 0; i < output.length; i++) {
      const position = (this.#given + i) * this.#from;
      let at = Math.floor(position / this.#to);
      let phase = Math.round(((position - at * this.#to) / this.#to) * this.#phases);
      if (phase === this.#phases) {
        phase = 0;
        at++;
      }
      const first = at - taps / 2 + 1 - this.#start;
      let sum = 0;
      for (let tap = 0, value = phase * taps; tap < taps; tap++, value++) {
        sum += (this.#input[first + tap] as number) * (this.#bank[value] as number);
      }
      output[i] = sum;
    }
    this.#given = until;
    this.#forget(Math.floor((until * this.#from) / this.#to) - taps / 2 + 1);
    return output;
  }

  /** Drops input that lies before `start`. */
  #forget(start: number): void {
    const dropped = Math.min(this.#inputLength, Math.max(0, start - this.#start));
    this.#input.copyWithin(0, dropped, this.#inputLength);
    this.#inputLength -= dropped;
    this.#start += dropped;
  }
}

/** The filters of the rates that came last: most clips have one of few rates. */
const banks = new Map<string, Float32Array>();
const banksMax = 4;

function cachedBank(phases: number, halfTaps: number, cutoff: number): Float32Array {
  const key = `${phases} ${halfTaps} ${cutoff}`;
  const bank = banks.get(key) ?? filterBank(phases, halfTaps, cutoff);
  banks.delete(key);
  banks.set(key, bank); // The newest is the last.
  const [oldest] = banks.keys();
  if (banks.size > banksMax) banks.delete(oldest as string);
  return bank;
}

/** Row p: the filter for an output that lies p / phases of a sample behind an input; tap 0 is halfTaps - 1 before it. */
function filterBank(phases: number, halfTaps: number, cutoff: number): Float32Array {
  const { zeroCrossings, beta } = filter;
  const taps = 2 * halfTaps;
  const bank = new Float32Array(phases * taps);
  const windowMiddle = bessel0(beta);
  for (let phase = 0; phase < phases; phase++) {
    for (let tap = 0; tap < taps; tap++) {
      const t = (tap - halfTaps + 1 - phase / phases) * cutoff;
      if (Math.abs(t) >= zeroCrossings) continue;
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * t) / (Math.PI * t);
      const window = bessel0(beta * Math.sqrt(1 - (t / zeroCrossings) ** 2)) / windowMiddle;
      bank[phase * taps + tap] = cutoff * sinc * window;
    }
  }
  return bank;
}

/** The modified Bessel function of the first kind and order 0, by its power series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
