import { cachedHubModels, inspectArtefact, inspectModel, parseModelName } from "@medley/models";
import type { Context } from "./context.ts";
import { kindOf, knownModels, modelsHere } from "./models-context.ts";
import { type Outcome, table } from "./output.ts";
import { megabytes } from "./progress.ts";

/** `medley models list`: fails (exit code 1) where a model that the configuration names can't be loaded. */
export async function listModels(context: Context): Promise<Outcome> {
  const here = await modelsHere(context);
  const usedBy = new Map(here.configured.map((model) => [model.name, model.usedBy]));
  const models = [];
  for (const name of knownModels(here)) {
    const state = await inspectModel(name, context.environment, {
      lock: here.lock,
      kind: kindOf(name, here),
    });
    models.push({ ...state, usedBy: usedBy.get(name) ?? [] });
  }
  for (const space of here.trained) {
    const state = await inspectArtefact(space, here.lock);
    models.push({ ...state, usedBy: here.needed.has(space) ? [space] : [] });
  }
  const known = new Set(models.map(({ name }) => parseModelName(name).base));
  const cached = (await cachedHubModels(context.environment)).filter(({ id }) => !known.has(id));
  const rows = [
    ...models.map(({ name, origin, dtype, bytes, revision, state, usedBy: spaces }) => [
      name,
      origin,
      dtype ?? "-",
      megabytes(bytes),
      (origin === "trained" ? revision : revision?.slice(0, 12)) ?? "-",
      state,
      spaces.join(", "),
    ]),
    ...cached.map(({ id, bytes, revision }) => [
      id,
      "hub",
      "-",
      megabytes(bytes),
      revision?.slice(0, 12) ?? "-",
      "not pinned",
      "",
    ]),
  ];
  const problems = models.flatMap(({ name, problem, mend }) =>
    problem === "" ? [] : [`${name}: ${problem}\n  ${mend}`],
  );
  const isBroken = models.some(({ state, usedBy: spaces }) => state !== "ok" && spaces.length > 0);
  const head = ["model", "from", "dtype", "size", "revision", "state", "used by"];
  return {
    exitCode: isBroken ? 1 : 0,
    data: { lock: here.lockFile, models, cached },
    text: [table(head, rows), ...problems].join("\n\n"),
  };
}
