import type { BitReader } from "./bit-reader.ts";
import { ClipError } from "./block.ts";

/** Coefficients of the fixed predictors of order 0 to 4, newest sample first (RFC 9639, table 21). */
const fixedPredictors = [[], [1], [2, -1], [3, -3, 1], [4, -6, 4, -1]];

/**
 * The samples of one channel in a frame. Doubles hold every intermediate sum exactly: 32 coefficients of 15 bits
 * times samples of 33 bits stay below 2^53.
 */
export function readSubframe(
  reader: BitReader,
  options: { samples: number; bitsPerSample: number },
): Float64Array {
  if (reader.bits(1) !== 0) throw new ClipError("a FLAC subframe is damaged");
  const type = reader.bits(6);
  const wastedBits = reader.bits(1) === 1 ? reader.unary() + 1 : 0;
  const bitsPerSample = options.bitsPerSample - wastedBits;
  if (bitsPerSample < 1) throw new ClipError("a FLAC subframe is damaged");
  const values = new Float64Array(options.samples);
  if (type === 0) values.fill(reader.signed(bitsPerSample));
  else if (type === 1) for (let i = 0; i < values.length; i++) values[i] = reader.signed(bitsPerSample);
  else if (type >= 8 && type <= 12) readPredicted(reader, values, { bitsPerSample, order: type - 8 });
  else if (type >= 32) readPredicted(reader, values, { bitsPerSample, order: type - 31, linear: true });
  else throw new ClipError("a FLAC subframe is of a type that is not defined");
  if (wastedBits > 0)
    for (let i = 0; i < values.length; i++) values[i] = (values[i] as number) * 2 ** wastedBits;
  return values;
}

function readPredicted(
  reader: BitReader,
  values: Float64Array,
  options: { bitsPerSample: number; order: number; linear?: true },
): void {
  const { bitsPerSample, order } = options;
  if (order > values.length) throw new ClipError("a FLAC subframe is damaged");
  for (let i = 0; i < order; i++) values[i] = reader.signed(bitsPerSample);
  let coefficients = fixedPredictors[order] as number[];
  let shift = 0;
  if (options.linear) {
    const precision = reader.bits(4) + 1;
    shift = reader.signed(5);
    if (precision === 16 || shift < 0) throw new ClipError("a FLAC subframe is damaged");
    coefficients = Array.from({ length: order }, () => reader.signed(precision));
  }
  readResidual(reader, values, order);
  const divisor = 2 ** shift;
  for (let i = order; i < values.length; i++) {
    let sum = 0;
    for (let j = 0; j < order; j++) sum += (coefficients[j] as number) * (values[i - 1 - j] as number);
    values[i] = (values[i] as number) + Math.floor(sum / divisor);
  }
}

/** What the predictor missed, in partitions of Rice codes, written over `values` from `order` on. */
function readResidual(reader: BitReader, values: Float64Array, order: number): void {
  const method = reader.bits(2);
  if (method > 1) throw new ClipError("a FLAC residual is of a kind that is not defined");
  const parameterBits = method === 0 ? 4 : 5;
  const rawParameter = 2 ** parameterBits - 1;
  const partitions = 2 ** reader.bits(4);
  const perPartition = values.length / partitions;
  if (!Number.isInteger(perPartition) || perPartition < order)
    throw new ClipError("a FLAC residual is damaged");
  let at = order;
  for (let partition = 1; partition <= partitions; partition++) {
    const parameter = reader.bits(parameterBits);
    const rawBits = parameter === rawParameter ? reader.bits(5) : -1;
    for (; at < partition * perPartition; at++) {
      if (rawBits >= 0) values[at] = reader.signed(rawBits);
      else {
        const folded = reader.unary() * 2 ** parameter + reader.bits(parameter);
        values[at] = folded % 2 === 0 ? folded / 2 : -(folded + 1) / 2;
      }
    }
  }
}
