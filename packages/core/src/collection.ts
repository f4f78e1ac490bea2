import type { SpaceDefinition } from "./config/definition.ts";
import type { Profiles } from "./config/profiles.ts";
import type { SourceDefinition } from "./config/sources.ts";
import type { FieldType } from "./fields.ts";

/** A field of a checked configuration. */
export interface Field {
  readonly name: string;
  readonly type: FieldType;
}

/** A space of a checked configuration. */
export interface Space {
  readonly name: string;
  readonly definition: SpaceDefinition;
  /** One field, or several for a text space. */
  readonly fields: readonly string[];
}

/** Whether a search's part of the space is words. */
export function isTextSpace({ definition: { encoder } }: Pick<Space, "definition">): boolean {
  return encoder === "text" || encoder === "remote" || encoder === "words";
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
  readonly sources: readonly SourceDefinition[];
  /** Null: it takes no events of users. */
  readonly profiles: Profiles | null;
  /** Default weight by space name; every space has one. */
  readonly weights: Readonly<Record<string, number>>;
}

/** Where a space's segment lies in the fused vector, and what made it: known once the encoders are open. */
export interface SegmentLayout {
  readonly space: string;
  /** 0-based. */
  readonly offset: number;
  readonly dimensions: number;
  readonly encoderIdentity: string;
}
