import { type EncodeFailure, MedleyError, type Result, succeed } from "@medley/core";
import { openTextEncoder } from "./open-text-encoder.ts";
import type { ModelRuntimeOptions } from "./runtime/model-runtime.ts";
import { type Classification, readClassifier } from "./trained/classifier.ts";

/** A tuned text model as a classifier, with session threads of its own; `await using` or its `asyncDispose` ends them. */
export interface TextClassifier extends AsyncDisposable {
  readonly labels: readonly string[];
  /** One result per text; null for a text without a token. */
  classify(
    texts: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly Result<Classification | null, EncodeFailure>[]>;
}

/** Throws as `openTextEncoder` and `readClassifier` do, and `model_unsupported` for a model without a classifier. */
export async function openTextClassifier(
  options: ModelRuntimeOptions & { readonly model: string },
): Promise<TextClassifier> {
  const { model, environment, lock } = options;
  const encoder = await openTextEncoder(options);
  try {
    const { dimensions } = encoder;
    const classifier = await readClassifier(model, environment, { lock, kind: "text", dimensions });
    if (classifier === null) {
      throw new MedleyError("model_unsupported", `the model ${model} has no classifier`, {
        mend: "train one: a space with tuned.target",
      });
    }
    return {
      labels: classifier.labels,
      classify: async (texts, signal) => {
        const results = await encoder.encode(texts, signal);
        return results.map((result) => (result.ok ? succeed(classifier.classify(result.value)) : result));
      },
      [Symbol.asyncDispose]: () => encoder[Symbol.asyncDispose](),
    };
  } catch (error) {
    await encoder[Symbol.asyncDispose]();
    throw error;
  }
}
