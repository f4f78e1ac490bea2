import { type FullText, isTextSpace } from "@medley/core";
import type { CollectionEncoders } from "@medley/pipeline";
import type { Routes } from "../server.ts";

/** What a client has to know of a collection to search it. */
export interface CollectionDescription {
  readonly name: string;
  /** Type by name. */
  readonly fields: Readonly<Record<string, string>>;
  /** In the order of the fused vector's segments. */
  readonly spaces: readonly {
    readonly name: string;
    readonly encoder: string;
    readonly fields: readonly string[];
    readonly dimensions: number;
    /** In searches that name none. */
    readonly weight: number;
    /** A search's part is words. */
    readonly readsText: boolean;
  }[];
  /** What `texts` of a search name. */
  readonly texts: readonly FullText[];
  /** Of searches, by name: those for which weights were learned. */
  readonly classes: readonly string[];
}

export interface CollectionsAnswer {
  readonly collections: readonly CollectionDescription[];
}

/** `GET /v1/collections`: those that the token reaches. */
export function collectionsRoutes({
  collections,
}: {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
}): Routes {
  return (app) => {
    app.get(
      "/v1/collections",
      { config: { scope: "search" } },
      async (request): Promise<CollectionsAnswer> => {
        const reached = [...collections.values()].filter(
          ({ collection }) => request.reach?.includes(collection.name) ?? true,
        );
        return { collections: reached.map(describe) };
      },
    );
  };
}

function describe({ collection, layout }: CollectionEncoders): CollectionDescription {
  return {
    name: collection.name,
    fields: Object.fromEntries(collection.fields.map(({ name, type }) => [name, type])),
    spaces: collection.spaces.map((space, index) => ({
      name: space.name,
      encoder: space.definition.encoder,
      fields: space.fields,
      dimensions: layout[index]?.dimensions ?? 0,
      weight: collection.weights[space.name] ?? 1,
      readsText: isTextSpace(space),
    })),
    texts: collection.texts,
    classes: Object.keys(collection.classes),
  };
}
