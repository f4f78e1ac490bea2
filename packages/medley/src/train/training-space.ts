import { type Collection, MedleyError, type Space, suggestion } from "@medley/core";

/** A space and its collection, as a command names them. */
export interface TrainingSpace {
  /** `collection.space`. */
  readonly place: string;
  readonly collection: Collection;
  readonly space: Space;
}

/** Finds `collection.space` in a configuration. Throws `usage` or `collection_unknown` with what there is. */
export function spaceNamed(collections: ReadonlyMap<string, Collection>, place: string): TrainingSpace {
  const [name = "", spaceName, ...rest] = place.split(".");
  if (spaceName === undefined || rest.length > 0) {
    throw new MedleyError("usage", `${JSON.stringify(place)} is no space`, {
      mend: "name it as COLLECTION.SPACE, such as films.plot",
    });
  }
  const collection = collections.get(name);
  if (collection === undefined) {
    throw new MedleyError("collection_unknown", `there is no collection "${name}"`, {
      mend: suggestion(name, [...collections.keys()]),
    });
  }
  const space = collection.spaces.find((candidate) => candidate.name === spaceName);
  if (space === undefined) {
    const names = collection.spaces.map((candidate) => candidate.name);
    throw new MedleyError("usage", `collection ${name} has no space "${spaceName}"`, {
      mend: suggestion(spaceName, names),
    });
  }
  return { place, collection, space };
}
