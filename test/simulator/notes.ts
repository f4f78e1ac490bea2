import {
  type Collection,
  checkConfig,
  type EncodeResult,
  type Encoder,
  fail,
  MedleyError,
  type RecordFields,
  type Stage,
  succeed,
} from "@medley/core";
import type { Life } from "./host.ts";

function notesWith(options: { version?: string }): Collection {
  const [notes] = checkConfig({
    collections: {
      notes: {
        ...options,
        fields: { title: "text", body: "text" },
        spaces: { title: { encoder: "text", field: "title" }, body: { encoder: "text", field: "body" } },
      },
    },
  });
  return notes as Collection;
}

/** Two texts, each a space of its own. Versions are the user's, or given on arrival. */
export const userVersioned = notesWith({ version: "v" });
export const arrivalVersioned = notesWith({});

/** What is wrong with a record's texts, and the stage that meets it. */
const faults = [
  { word: "refused", stage: "embed" },
  { word: "nan", stage: "embed" },
  { word: "kill", stage: "embed" },
  { word: "unstorable", stage: "index" },
] as const satisfies readonly { word: string; stage: Stage }[];
export type PoisonWord = (typeof faults)[number]["word"];
export const poisonWords = faults.map(({ word }) => word);

/** The stage where the record has to become a dead letter; null: it can be processed. */
export function poisonedStage(fields: RecordFields): Stage | null {
  const texts = `${fields.title} ${fields.body}`;
  return faults.find(({ word }) => texts.includes(word))?.stage ?? null;
}

const dimensions = 4;
const segments = new Map<string, Float32Array>();

/** A segment that this text alone has, exact in half precision. Not of unit length: nothing here looks at that. */
function segmentOf(text: string): Float32Array {
  let segment = segments.get(text);
  if (segment === undefined) {
    let hash = 0x811c9dc5;
    for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    segment = Float32Array.from({ length: dimensions }, (_, at) => 1 + ((hash >>> (8 * at)) & 255));
    // Content is made of a few words and a number: a bound for long runs all the same.
    if (segments.size > 10_000) segments.clear();
    segments.set(text, segment);
  }
  return segment;
}

/** The fused vector of a record: what promise P4 says is stored. */
export function vectorOf(fields: RecordFields): Float16Array {
  const vector = new Float16Array(2 * dimensions);
  for (const [at, text] of [fields.title, fields.body].entries()) {
    if (typeof text === "string") vector.set(segmentOf(text), at * dimensions);
  }
  return vector;
}

/** What the model of a process does at the moment. */
export interface ModelState {
  /** Until then it can't be run. */
  readonly downUntilMs: number;
  readonly runMs: number;
  /** That share of its runs hangs, until a deadline ends it. */
  readonly hangs: number;
}

const hangMs = 30_000;

/** Runs a model in the process: its segment shows the text it was given. Meets faults of the text, and those of `state`. */
export class SimulatedEncoder implements Encoder {
  readonly dimensions = dimensions;
  readonly usesModel = true;
  readonly identity: string;
  readonly #life: Life;
  readonly #state: () => ModelState;

  constructor(identity: string, life: Life, state: () => ModelState) {
    this.identity = identity;
    this.#life = life;
    this.#state = state;
  }

  async encode(values: readonly unknown[]): Promise<readonly EncodeResult[]> {
    const { world } = this.#life;
    const { downUntilMs, runMs, hangs } = this.#state();
    const isHung = world.chance.happens(hangs);
    await this.#life.sleep(isHung ? hangMs : world.chance.latencyMs(runMs));
    if (isHung) throw new MedleyError("encoder_unavailable", "the run took too long");
    if (downUntilMs > world.nowMs) throw new MedleyError("encoder_unavailable", "no memory just now");
    const texts = values as readonly string[];
    if (texts.some((text) => text.includes("kill"))) {
      throw new MedleyError("encoder_unavailable", "the thread died");
    }
    return texts.map((text) => {
      if (text.includes("refused")) return fail({ code: "encoder_failed", message: "can't be read" });
      if (text.includes("nan")) return succeed(new Float32Array(dimensions).fill(Number.NaN));
      return succeed(segmentOf(text));
    });
  }

  async encodeQuery(): Promise<Float32Array> {
    throw new Error("nothing is searched here");
  }
}
