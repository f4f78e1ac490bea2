import type { SpaceDefinition } from "./config/definition.ts";
import type { FullText } from "./config/full-texts.ts";
import type { Profiles } from "./config/profiles.ts";
import type { SourceDefinition } from "./config/sources.ts";
import type { CollectionTask } from "./config/tasks.ts";
import type { FieldType } from "./fields.ts";

/** A field of a checked configuration. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
}

/** A space of a checked configuration. */
export interface Space {
  readonly name: string;
  /** What serves: of several candidates the first, until `medley.lock.json` holds a choice. */
  readonly definition: SpaceDefinition;
  /** All that it may be; empty where the configuration leaves no choice. */
  readonly candidates: readonly SpaceDefinition[];
  /** One field, or several for a text space. */
  readonly fields: readonly string[];
}

/** Whether a search's part of the space is words. */
export function isTextSpace({ definition: { encoder } }: Pick<Space, "definition">): boolean {
  return encoder === "text" || encoder === "remote" || encoder === "words";
}

/** A space that is served by `definition`: of `candidates` one, where there are any. Frozen. */
export function spaceOf(
  name: string,
  definition: SpaceDefinition,
  candidates: readonly SpaceDefinition[],
): Space {
  const fields = [definition.field].flat();
  for (const part of [definition, candidates, fields]) Object.freeze(part);
  return Object.freeze({ name, definition, candidates, fields });
}

/** A checked collection, frozen. Spaces are in the order of the fused vector's segments. */
export interface Collection {
  readonly name: string;
  /** Input key of the record id. */
  readonly idKey: string;
  /** Input key of the version, or null where arrival gives it. */
  readonly versionKey: string | null;
  readonly unknownKeys: "reject" | "ignore";
  readonly fields: readonly Field[];
  readonly spaces: readonly Space[];
  /** Terms of the score that are no part of the vector. */
  readonly texts: readonly FullText[];
  readonly sources: readonly SourceDefinition[];
  readonly tasks: readonly CollectionTask[];
  /** Null: it takes no events of users. */
  readonly profiles: Profiles | null;
  /** Default weight by space name; every space has one. */
  readonly weights: Readonly<Record<string, number>>;
  /** By the class of a search, what spaces weigh in it; those that are not named keep their default. */
  readonly classes: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** Where a space's segment lies in the fused vector, and what made it: known once the encoders are open. */
export interface SegmentLayout {
  readonly space: string;
  /** 0-based. */
  readonly offset: number;
  readonly dimensions: number;
  readonly encoderIdentity: string;
}
