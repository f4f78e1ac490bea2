import { strict as assert } from "node:assert";
import { openModelRuntime } from "@medley/models";

/** The vectors of texts by the model in a folder. Throws where one text has none. */
export async function vectorsOf(directory: string, texts: readonly string[]): Promise<Float32Array[]> {
  await using runtime = openModelRuntime({ environment: {} });
  const encoder = await runtime.textEncoder(directory);
  return (await encoder.encode(texts)).map((result, index) => {
    assert(result.ok, `text ${index}: ${result.ok ? "" : result.failure.message}`);
    return result.value;
  });
}
