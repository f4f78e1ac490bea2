import type { Encoder } from "@medley/core";
import { type ModelRuntimeOptions, openModelRuntime } from "./runtime/model-runtime.ts";

/** One text encoder with session threads of its own; `await using` or its `asyncDispose` ends them. */
export async function openTextEncoder(
  options: ModelRuntimeOptions & { readonly model: string },
): Promise<Encoder<string, string> & AsyncDisposable> {
  const runtime = openModelRuntime(options);
  try {
    const encoder = await runtime.textEncoder(options.model);
    return Object.assign(encoder, { [Symbol.asyncDispose]: () => runtime.close() });
  } catch (error) {
    await runtime.close();
    throw error;
  }
}
