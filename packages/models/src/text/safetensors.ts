import { MedleyError } from "@medley/core";
import { type PinnedFile, readPinned } from "../artefact/files.ts";

/** Row-major. */
export interface Weights {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What a header may take: the format's own bound (safetensors, `MAX_HEADER_SIZE`). */
const headerBytesMax = 100_000_000;

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/**
 * The tensors of a safetensors file (8 bytes of header length, a JSON header, the data; little-endian), F32, F16 and
 * BF16 widened to float32. Throws `model_damaged` where the header doesn't fit the data or a tensor has another type.
 */
export function readSafetensors(file: PinnedFile): ReadonlyMap<string, Weights> {
  const bytes = readPinned(file);
  try {
    return new Map(entriesOf(bytes));
  } catch (cause) {
    throw new MedleyError(
      "model_damaged",
      `${file.path} is no safetensors file: ${(cause as Error).message}`,
      {
        mend: "fetch the model again",
        cause,
      },
    );
  }
}

function* entriesOf(bytes: Uint8Array): Generator<[string, Weights]> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > headerBytesMax) throw new RangeError(`a header of ${headerBytes} bytes`);
  const data = bytes.subarray(8 + headerBytes);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)));
  for (const [name, entry] of Object.entries(header as Readonly<Record<string, Entry>>)) {
    if (name === "__metadata__") continue;
    const [start, end] = entry.data_offsets;
    const count = entry.shape.reduce((product, dim) => product * dim, 1);
    const read = readers[entry.dtype];
    if (read === undefined) throw new RangeError(`${name} is of type ${entry.dtype}, not F32, F16 or BF16`);
    if (end > data.length || end - start !== count * read.bytes) {
      throw new RangeError(`${name} [${entry.shape}] does not fill the bytes ${start} to ${end}`);
    }
    const part = new DataView(data.buffer, data.byteOffset + start, end - start);
    const values = Float32Array.from({ length: count }, (_, index) => read.at(part, index));
    yield [name, { shape: entry.shape, values }];
  }
}

const bfloat16 = new DataView(new ArrayBuffer(4));

const readers: Readonly<Record<string, { bytes: number; at: (view: DataView, index: number) => number }>> = {
  F32: { bytes: 4, at: (view, index) => view.getFloat32(index * 4, true) },
  F16: { bytes: 2, at: (view, index) => view.getFloat16(index * 2, true) },
  BF16: {
    bytes: 2,
    at: (view, index) => {
      bfloat16.setUint16(2, view.getUint16(index * 2, true), true); // The upper half of a float32.
      return bfloat16.getFloat32(0, true);
    },
  },
};
