import type { Fields, VectorFieldType } from "../fields.ts";
import type { CandidateSpace } from "./candidates.ts";
import type { FullTextDefinition } from "./full-texts.ts";
import type { ProfilesDefinition } from "./profiles.ts";
import type { Reducible } from "./reduced.ts";
import type { SourceDefinition } from "./sources.ts";
import type { TaskDefinition } from "./tasks.ts";
import type { TrainedSpace, Tuned } from "./trained-spaces.ts";

/** The names of the fields of `F` whose type is `T`; `never` where there is none, which makes a misfit a compile error. */
export type FieldOf<F extends Fields, T extends string> = {
  [Name in keyof F]: F[Name] extends T ? Name : never;
}[keyof F] &
  string;

export interface Weighted {
  /** Weight in searches that name none; may be 0 or negative. Default 1. */
  weight?: number;
}

/**
 * A sentence embedding by a pre-trained model. Several fields are joined with a line break.
 * `model`: a name (`all-MiniLM-L6-v2` travels with Medley), a Hugging Face id that `medley models pull` has fetched and pinned
 * (`org/name`; `org/name#fp16` takes its `model_fp16.onnx`), or a path from this file (`./folder`).
 */
export interface TextSpace<F extends Fields> extends Weighted, Reducible, Tuned<F> {
  encoder: "text";
  field: FieldOf<F, "text"> | readonly FieldOf<F, "text">[];
  model?: string;
}

/**
 * Where the pictures or clips of a space may be read from, besides bytes that come with the record (base64, which
 * always work). A path or address outside is refused: the record becomes a dead letter.
 */
export interface ContentSources {
  /** Paths are relative to this folder and may not leave it. Itself relative to the configuration file. */
  readonly folder?: string;
  /**
   * Hosts that addresses (http, https) may name: `images.example.com`, `*.example.com` (what is below it, not itself),
   * `localhost:8080`. Default: none. Without a port the scheme's own is meant. What a name resolves to must be public;
   * a private address is reached only where it is named by itself: `10.0.0.5:9000`, `[fd00::5]`, `localhost`.
   */
  readonly hosts?: readonly string[];
}

/** A picture's embedding by a pre-trained model: ResNet, ViT, the picture side of CLIP. */
export interface ImageSpace<F extends Fields> extends Weighted, Reducible, Tuned<F> {
  encoder: "image";
  field: FieldOf<F, "image">;
  model: string;
  /**
   * The output of the model to take, by name: for a classifier the layer before its classes. Default: the one that its
   * own files mean. `medley models outputs MODEL` lists the candidates.
   */
  output?: string;
  from?: ContentSources;
}

/** A clip's embedding by a pre-trained model that reads samples, such as Wav2Vec2: the mean over its frames. */
export interface AudioSpace<F extends Fields> extends Weighted, Reducible, Tuned<F> {
  encoder: "audio";
  field: FieldOf<F, "audio">;
  model: string;
  output?: string;
  /** What is longer is cut. Default 30. */
  secondsMax?: number;
  from?: ContentSources;
}

/** A text's embedding by an endpoint that speaks OpenAI's protocol: OpenAI, vLLM, Ollama, TEI. */
export interface RemoteSpace<F extends Fields> extends Weighted, Reducible {
  encoder: "remote";
  field: FieldOf<F, "text"> | readonly FieldOf<F, "text">[];
  /** The base that `/embeddings` is put after: `https://api.openai.com/v1`, `http://localhost:11434/v1`. */
  url: string;
  model: string;
  dimensions: number;
  /** Ask the endpoint to shorten its vectors to `dimensions` (OpenAI's v3 models). Default: it is only checked. */
  asksDimensions?: boolean;
  /** The environment variable that holds the key; with `_FILE` after its name, the file that does. Default: no key. */
  keyVariable?: string;
  /** Put before texts of records and of searches. Default: nothing. */
  passagePrompt?: string;
  queryPrompt?: string;
  /** Texts a request; the default suits most endpoints: 64. */
  batchTextsMax?: number;
  requestsInFlightMax?: number;
  requestsPerMinuteMax?: number;
  tokensPerMinuteMax?: number;
  /** Tokens this process may spend in all; then the space stops with `encoder_unavailable`. Default: no limit. */
  tokensMax?: number;
  /** Of one request. Default 30,000. */
  timeoutMs?: number;
}

/** A number on a range. `prefer` is what a search asks for when it names no value: the highest, the lowest, or nothing. */
export interface NumberSpace<F extends Fields> extends Weighted {
  encoder: "number";
  field: FieldOf<F, "number">;
  /** Smallest and largest value; values outside count as the nearest end. */
  range: readonly [min: number, max: number];
  /** `log`: equal ratios are equally far apart; the range must be above 0. Default `linear`. */
  scale?: "linear" | "log";
  prefer?: "high" | "low";
}

/** One dimension per category. */
export interface CategorySpace<F extends Fields> extends Weighted, Reducible {
  encoder: "category";
  field: FieldOf<F, "category" | "categories" | "shares">;
  values: readonly string[];
  /**
   * A value not in `values`: `ignore` it (default; a record with unknown values only has no segment), count all of
   * them as one `other` category, or `reject` the record.
   */
  unknown?: "ignore" | "other" | "reject";
}

/** How recent a timestamp is; *now* and the half-life are said by the search, so stored vectors never go stale. */
export interface RecencySpace<F extends Fields> extends Weighted {
  encoder: "recency";
  field: FieldOf<F, "timestamp">;
  /** The age up to which order is kept; older counts as that old. */
  horizonDays: number;
  /** Two dimensions each; more resolve shorter half-lives. */
  harmonics?: number;
  /** Of searches that name none. Default: a quarter of the horizon. */
  halfLifeDays?: number;
}

/** A place on the unit sphere: nearness by great-circle distance. */
export interface GeoSpace<F extends Fields> extends Weighted {
  encoder: "geo";
  field: FieldOf<F, "geo">;
}

/** The user's own vector, scaled to unit length. */
export interface VectorSpace<F extends Fields> extends Weighted, Reducible {
  encoder: "vector";
  field: FieldOf<F, VectorFieldType>;
}

export type SpaceDefinition<F extends Fields = Fields> =
  | TextSpace<F>
  | ImageSpace<F>
  | AudioSpace<F>
  | RemoteSpace<F>
  | NumberSpace<F>
  | CategorySpace<F>
  | RecencySpace<F>
  | GeoSpace<F>
  | VectorSpace<F>
  | TrainedSpace<F>;

export type EncoderName = SpaceDefinition["encoder"];

export interface CollectionDefinition<F extends Fields> {
  /** The input key that holds the record's id. Default `id`. */
  id?: string;
  /** The input key that holds the record's version, an integer that only grows. Default: given on arrival. */
  version?: string;
  fields: F;
  spaces: Readonly<Record<string, SpaceDefinition<F> | CandidateSpace<F>>>;
  /** Words to search by, beside the spaces; their names are none of a space. Default: none. */
  texts?: Readonly<Record<string, FullTextDefinition<NoInfer<F>>>>;
  /** What the vectors should be good at, by name: `medley assign` chooses among candidates by them. */
  tasks?: Readonly<Record<string, TaskDefinition<NoInfer<F>>>>;
  /** What feeds the collection besides HTTP and files. */
  sources?: readonly SourceDefinition<NoInfer<F>>[];
  /** Keeps events of users, and a profile vector for each. Default: none. */
  profiles?: ProfilesDefinition;
  /** Input keys that are no field: `reject` the record (default), so that a typo can't lose data, or `ignore` them. */
  unknownKeys?: "reject" | "ignore";
}

export interface MedleyDefinition<C extends Readonly<Record<string, Fields>>> {
  collections: { readonly [Name in keyof C]: CollectionDefinition<C[Name]> };
}
