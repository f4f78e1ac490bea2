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

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Weights>;
  /** Texts by name that the writer has added. */
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * The tensors of a safetensors file (8 bytes of header length, a JSON header, the data; little-endian), F32, F16 and
 * BF16 widened to float32. Throws `model_damaged` where the header doesn't fit the data or a tensor has another type.
 */
export function readSafetensors(file: PinnedFile): ReadonlyMap<string, Weights> {
  const bytes = readPinned(file);
  try {
    return decodeSafetensors(bytes).tensors;
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

/** As `readSafetensors`, of bytes; throws whatever tells that they are damaged. */
export function decodeSafetensors(bytes: Uint8Array): Safetensors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > headerBytesMax) throw new RangeError(`a header of ${headerBytes} bytes`);
  const data = bytes.subarray(8 + headerBytes);
  const header: Readonly<Record<string, unknown>> = JSON.parse(
    new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes)),
  );
  const { __metadata__: metadata = {}, ...entries } = header;
  return {
    tensors: new Map(
      Object.entries(entries).map(([name, entry]) => [name, weightsOf(name, entry as Entry, data)]),
    ),
    metadata: metadata as Readonly<Record<string, string>>,
  };
}

function weightsOf(name: string, entry: Entry, data: Uint8Array): Weights {
  const [start, end] = entry.data_offsets;
  const count = entry.shape.reduce((product, dim) => product * dim, 1);
  const read = readers[entry.dtype];
  if (read === undefined) throw new RangeError(`${name} is of type ${entry.dtype}, not F32, F16 or BF16`);
  if (end > data.length || end - start !== count * read.bytes) {
    throw new RangeError(`${name} [${entry.shape}] does not fill the bytes ${start} to ${end}`);
  }
  const part = new DataView(data.buffer, data.byteOffset + start, end - start);
  return {
    shape: entry.shape,
    values: Float32Array.from({ length: count }, (_, index) => read.at(part, index)),
  };
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
