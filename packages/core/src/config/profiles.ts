import { z } from "zod";
import { textProblem } from "../record/describe-value.ts";

/** What users do with a collection's records is kept, and makes a vector of what each of them likes. */
export interface ProfilesDefinition {
  /**
   * What an event of each kind counts: `{ view: 1, like: 3, purchase: 5, dislike: -2 }`. Any number but 0 (1e-6 to 1e6, or below 0); below 0 the
   * profile moves away from the record. An event of a kind that is not named here is refused.
   */
  events: Readonly<Record<string, number>>;
  /** After so many days an event counts half. */
  halfLifeDays: number;
  /** Events kept of a user, the latest ones. Default 200, at most 1,000. */
  eventsMax?: number;
}

/** Of a checked configuration. */
export type Profiles = Readonly<Required<ProfilesDefinition>>;

const eventsMaxDefault = 200;
const kindsMax = 100;
// Without their signs.
const weightMin = 1e-6;
const weightMax = 1e6;
const kindCharsMax = 64;

export const profilesShape = z.strictObject({
  events: z
    .record(z.string(), z.number())
    .describe("what an event of each kind counts: any number but 0, below 0 moves away"),
  halfLifeDays: z.number().positive().max(36_525).describe("after so many days an event counts half"),
  eventsMax: z
    .int()
    .positive()
    .max(1_000)
    .optional()
    .describe(`events kept of a user, the latest ones; default ${eventsMaxDefault}`),
});

type ProfilesShape = z.infer<typeof profilesShape>;

/** With the place within `profiles`, and the mend. */
export function* profilesProblems({ events }: ProfilesShape): Generator<string> {
  const kinds = Object.entries(events);
  if (kinds.length === 0) yield "events: there is none; name at least one, such as { like: 1 }";
  if (kinds.length > kindsMax) yield `events: there are ${kinds.length}; at most ${kindsMax} are told apart`;
  for (const [kind, weight] of kinds) {
    const problem = kind === "" ? "is empty; give it a name" : textProblem(kind);
    if (problem !== undefined) yield `events: the kind ${JSON.stringify(kind)} ${problem}`;
    if (kind.length > kindCharsMax)
      yield `events: the kind ${JSON.stringify(kind)} has ${kind.length} characters; at most ${kindCharsMax} are allowed`;
    if (weight === 0) {
      yield `events: "${kind}" counts 0, which changes nothing; leave it out, or give it another number`;
    } else if (Math.abs(weight) < weightMin || Math.abs(weight) > weightMax) {
      yield `events: "${kind}" counts ${weight}; stay between ${weightMin} and ${weightMax}, as only ratios matter`;
    }
  }
}

export function profilesOf({ events, halfLifeDays, eventsMax = eventsMaxDefault }: ProfilesShape): Profiles {
  return Object.freeze({ events: Object.freeze({ ...events }), halfLifeDays, eventsMax });
}
