import { join } from "node:path";
import type { EncodeResult, Encoder } from "@medley/core";
import { ContentReader } from "../content/content-reader.ts";
import { chooseDevice } from "./device.ts";
import { openModelRuntime } from "./model-runtime.ts";

/** Prints how far vectors on WebGPU are from those on the CPU, as JSON: of texts, a search, and pictures. */
const texts = ["food", "a loaf of bread", "the rain in Spain"];
const pictures = ["coffee.webp", "photo.jpg", "rocket.webp"];
const textModel = "all-MiniLM-L6-v2";
const fixtures = join(import.meta.dirname, "../../fixtures/image");
const pictureModel = join(fixtures, "models/tiny-vit");
const content = new ContentReader({ folder: join(fixtures, "pictures"), hosts: [] });

const device = await chooseDevice("webgpu");
const onGpu = openModelRuntime({ environment: {}, device });
const onCpu = openModelRuntime({ environment: {}, threads: 1 });
const [gpu, cpu] = [await onGpu.textEncoder(textModel), await onCpu.textEncoder(textModel)];
const gpuPictures = await onGpu.imageEncoder(pictureModel, { content });
const cpuPictures = await onCpu.imageEncoder(pictureModel, { content });

function differences(ours: readonly EncodeResult[], theirs: readonly EncodeResult[]): number[] {
  return ours.map((result, index) => {
    const other = theirs[index];
    if (!result.ok || !other?.ok) throw new Error(JSON.stringify([result, other]));
    return Math.max(...result.value.map((x, d) => Math.abs(x - (other.value[d] as number))));
  });
}
const both = async (a: Encoder, b: Encoder, values: readonly string[]) =>
  differences(await a.encode(values), await b.encode(values));

const searches = [await gpu.encodeQuery("bread"), await cpu.encodeQuery("bread")];
const [onOne, onOther] = searches.map((value): EncodeResult => ({ ok: true, value }));
const result = {
  device,
  texts: await both(gpu as Encoder, cpu as Encoder, texts),
  searches: differences([onOne as EncodeResult], [onOther as EncodeResult]),
  pictures: await both(gpuPictures, cpuPictures, pictures),
};
// The driver's own threads keep the process alive.
process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit());
