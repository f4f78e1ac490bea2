import { strict as assert } from "node:assert";
import type { StateTensor } from "../engine/training-step.ts";

/**
 * A safetensors file of float32 tensors: 8 bytes of header length, a JSON header, the data; little-endian (safetensors, format
 * description). In the order of the map; the header is filled up with spaces so that data start at a multiple of 8.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, StateTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const [name, { dims, data }] of tensors) {
    assert(name !== "__metadata__", "a name of a tensor");
    assert.equal(
      data.length,
      dims.reduce((product, dim) => product * dim, 1),
      `${name} is [${dims}]`,
    );
    header[name] = { dtype: "F32", shape: dims, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, 8);
  file.fill(0x20, 8 + json.length, 8 + headerBytes);
  let at = 8 + headerBytes;
  for (const { data } of tensors.values()) {
    // What this writes in the machine's order is little-endian wherever Node's ONNX Runtime is built for.
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
