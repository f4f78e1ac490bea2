import { chooseDevice } from "./device.ts";
import { openModelRuntime } from "./model-runtime.ts";

/** Prints how far texts' vectors on WebGPU are from those on the CPU, as JSON. */
const name = "all-MiniLM-L6-v2";
const texts = ["food", "a loaf of bread", "the rain in Spain"];
const device = await chooseDevice("webgpu");
const onGpu = openModelRuntime({ environment: {}, device });
const onCpu = openModelRuntime({ environment: {}, threads: 1 });
const [gpu, cpu] = [await onGpu.textEncoder(name), await onCpu.textEncoder(name)];

const pairs = [[await gpu.encodeQuery("bread"), await cpu.encodeQuery("bread")] as const];
const expected = await cpu.encode(texts);
for (const [index, result] of (await gpu.encode(texts)).entries()) {
  const other = expected[index];
  if (!result.ok || !other?.ok) throw new Error(JSON.stringify(result));
  pairs.push([result.value, other.value]);
}
const differences = pairs.map(([a, b]) => Math.max(...a.map((x, d) => Math.abs(x - (b[d] as number)))));
// The driver's own threads keep the process alive.
process.stdout.write(`${JSON.stringify({ device, differences })}\n`, () => process.exit());
