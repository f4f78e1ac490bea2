import { type Collection, hasArtefact } from "@medley/core";
import { defaultTextModel, type ModelKind } from "@medley/models";

export interface ConfiguredModel {
  readonly name: string;
  readonly kind: ModelKind;
  /** `collection.space` of each space that uses it. */
  readonly usedBy: readonly string[];
}

/** `collection.space` of every space that an artefact of its own serves, once it is trained. */
export function trainedSpaces(collections: ReadonlyMap<string, Collection>): string[] {
  return [...collections.values()].flatMap((collection) =>
    collection.spaces
      .filter(({ definition }) => hasArtefact(definition))
      .map(({ name }) => `${collection.name}.${name}`),
  );
}

/** The models whose files a configuration needs, each once: of candidates all, since they are measured beside each other. */
export function configuredModels(collections: ReadonlyMap<string, Collection>): ConfiguredModel[] {
  const models = new Map<string, { name: string; kind: ModelKind; usedBy: string[] }>();
  for (const collection of collections.values()) {
    for (const { name: space, definition, candidates } of collection.spaces) {
      for (const one of candidates.length === 0 ? [definition] : candidates) {
        const kind = one.encoder;
        if (kind !== "text" && kind !== "image" && kind !== "audio") continue;
        const name = one.model ?? defaultTextModel;
        const model = models.get(name) ?? { name, kind, usedBy: [] };
        const place = `${collection.name}.${space}`;
        if (!model.usedBy.includes(place)) model.usedBy.push(place);
        models.set(name, model);
      }
    }
  }
  return [...models.values()];
}
