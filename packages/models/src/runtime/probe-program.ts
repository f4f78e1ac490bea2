import { strict as assert } from "node:assert";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { encodeOnnx, nodeOf, onnxTypes, tensorOf } from "../onnx/onnx-model.ts";
import { valueInfoOf } from "../onnx/value-info.ts";
import { type Device, devices } from "./device.ts";
import { sessionOptionsOf } from "./session.ts";

/** Prints what came of running a small graph on the device named: one line of JSON, the last of stdout. */
export type ProbeAnswer = { readonly loadMs: number; readonly runMs: number } | { readonly fault: string };

const size = 16;

/** y = relu(x w), where w has twos on its diagonal. */
function graphBytes(): Uint8Array {
  const weights = new Float32Array(size * size);
  for (let i = 0; i < size; i++) weights[i * size + i] = 2;
  return encodeOnnx({
    irVersion: 8,
    opsetImport: [{ version: 17n }],
    graph: {
      name: "probe",
      node: [nodeOf("MatMul", ["x", "w"], "xw"), nodeOf("Relu", ["xw"], "y")],
      initializer: [tensorOf("w", [size, size], weights)],
      input: [valueInfoOf("x", { dataType: onnxTypes.float32, dims: ["rows", size] })],
      output: [valueInfoOf("y", { dataType: onnxTypes.float32, dims: ["rows", size] })],
    },
  });
}

async function probe(device: Device): Promise<ProbeAnswer> {
  const startedMs = performance.now();
  const session = await InferenceSession.create(graphBytes(), {
    ...sessionOptionsOf(device),
    logSeverityLevel: 3,
  });
  const loadedMs = performance.now();
  const values = Float32Array.from({ length: size }, (_, i) => i - 3);
  const { y } = await session.run({ x: new Tensor("float32", values, [1, size]) });
  const right = values.every((x, i) => y?.data[i] === Math.max(0, 2 * x));
  if (!right) return { fault: "it computes wrong numbers" };
  return { loadMs: loadedMs - startedMs, runMs: performance.now() - loadedMs };
}

// ONNX Runtime passes over a provider whose name it does not know.
assert(
  devices.some((device) => device === process.argv[2]),
  "the device is one of those known",
);
const answer = await probe(process.argv[2] as Device).catch((error: Error) => ({ fault: error.message }));
// Native threads of a driver may keep the process alive.
process.stdout.write(`${JSON.stringify(answer)}\n`, () => process.exit());
