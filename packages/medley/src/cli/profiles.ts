import { type Collection, MedleyError } from "@medley/core";
import { rebuildProfiles } from "@medley/store";
import type { Deployment } from "../deployment/deployment.ts";
import { type Context, openHere } from "./context.ts";
import type { Outcome } from "./output.ts";
import { count, Progress } from "./progress.ts";

/** `medley profiles rebuild [COLLECTION]`. */
export async function rebuildCommand(context: Context, named: string | undefined): Promise<Outcome> {
  await using deployment = await openHere(context, false);
  const collections = named === undefined ? keepingProfiles(deployment) : [profiled(deployment, named)];
  const rebuilt: Record<string, number> = {};
  for (const { name } of collections) {
    const bar = new Progress(`${name}, profiles`, { unit: "rows" });
    try {
      rebuilt[name] = await rebuildProfiles(deployment.pool, name, {
        signal: context.signal,
        onProgress: (done) => bar.update({ done, total: null }),
      });
    } finally {
      bar.stop();
    }
  }
  const lines = Object.entries(rebuilt).map(
    ([name, profiles]) => `${name}: ${count(profiles)} profiles made anew`,
  );
  if (context.signal.aborted) lines.push("interrupted; the same command begins again");
  const text = lines.length === 0 ? "no collection keeps profiles" : lines.join("\n");
  return { exitCode: context.signal.aborted ? 130 : 0, data: { rebuilt }, text };
}

/** `medley profiles forget COLLECTION USER`. */
export async function forgetCommand(
  context: Context,
  { collection, user }: { readonly collection: string; readonly user: string },
): Promise<Outcome> {
  await using deployment = await openHere(context, false);
  deployment.collection(collection);
  const events = await deployment.forgetUser(collection, user);
  return { exitCode: 0, data: { collection, events }, text: `forgotten, with ${count(events)} events` };
}

function keepingProfiles({ collections }: Deployment): readonly Collection[] {
  return [...collections.values()]
    .map(({ collection }) => collection)
    .filter(({ profiles }) => profiles !== null);
}

/** Throws `usage` for a collection without. */
function profiled(deployment: Deployment, name: string): Collection {
  const { collection } = deployment.collection(name);
  if (collection.profiles !== null) return collection;
  throw new MedleyError("usage", `collection ${name} keeps no profiles`, {
    mend: 'give it "profiles" in the configuration',
  });
}
