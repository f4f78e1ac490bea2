import { MedleyError } from "@medley/core";
import { verifyArtefact, verifyModel } from "@medley/models";
import type { Context } from "./context.ts";
import { kindOf, knownModels, modelsHere } from "./models-context.ts";
import type { Outcome } from "./output.ts";

/** `medley models verify [NAME]`: every model is tried; the exit code is 1 where one fails. */
export async function verifyModels(context: Context, name: string | undefined): Promise<Outcome> {
  const here = await modelsHere(context);
  const models = [];
  const all = [...knownModels(here), ...Object.keys(here.lock.trained)];
  for (const one of name === undefined ? all : [name]) {
    context.signal.throwIfAborted();
    try {
      if (here.trained.includes(one)) {
        await verifyArtefact(one, here.lock);
        models.push({ name: one, ok: true, reference: null, error: null });
        continue;
      }
      const options = { lock: here.lock, kind: kindOf(one, here) };
      const { reference } = await verifyModel(one, context.environment, options);
      models.push({ name: one, ok: true, reference, error: null });
    } catch (error) {
      if (!(error instanceof MedleyError)) throw error;
      const { code, message, mend = null } = error;
      models.push({ name: one, ok: false, reference: null, error: { code, message, mend } });
    }
  }
  const lines = models.map((model) => {
    if (model.error !== null)
      return `FAIL  ${model.name}  ${model.error.message}\n      ${model.error.mend ?? ""}`;
    const { reference } = model;
    const compared =
      reference === null
        ? "it has no reference vectors"
        : `vectors as its reference's: cosine min ${reference.cosineMin.toFixed(6)}, mean ` +
          `${reference.cosineMean.toFixed(6)} over ${reference.inputs} texts (at least ${reference.cosineMinGoal})`;
    return `ok    ${model.name}  files match their sha256; ${compared}`;
  });
  const exitCode = models.some(({ ok }) => !ok) ? 1 : 0;
  return { exitCode, data: { models }, text: lines.join("\n") };
}
