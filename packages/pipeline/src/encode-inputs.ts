import { strict as assert } from "node:assert";
import { isGraphSpace, MedleyError, parseValue, type Space } from "@medley/core";
import { type CollectionEncoders, spaceIndex } from "./collection-encoders.ts";

/** Whether an input is what a search says of a space, or what a record holds: some models put other words before either. */
export const encodedAs = ["query", "record"] as const;
export type EncodedAs = (typeof encodedAs)[number];

export interface Encoding {
  readonly space: string;
  readonly inputs: readonly unknown[];
  readonly as: EncodedAs;
}

/**
 * A segment per input by the space's own encoder: unit length, or all zero where the input says nothing. As a record, an input is
 * the value of the space's field; of several fields, their texts in one. Throws `query_invalid` with the input's place, or
 * `encoder_unavailable`.
 */
export async function encodeInputs(
  opened: CollectionEncoders,
  { space: name, inputs, as }: Encoding,
  signal?: AbortSignal,
): Promise<readonly Float32Array[]> {
  const index = spaceIndex(opened, name);
  const encoder = opened.encoders[index];
  const space = opened.collection.spaces[index];
  assert(encoder !== undefined && space !== undefined);
  if (as === "query") {
    return Promise.all(
      inputs.map((input, at) =>
        encoder.encodeQuery(input, signal).catch((error: unknown) => {
          if (error instanceof MedleyError && error.code === "query_invalid")
            throw inInput(at, error.message);
          throw error;
        }),
      ),
    );
  }
  const results = await encoder.encode(
    inputs.map((input, at) => recordValue(opened, space, { input, at })),
    signal,
  );
  return results.map((result, at) => {
    if (result.ok) return result.value;
    const { code, message } = result.failure;
    throw code === "encoder_failed" ? inInput(at, message) : new MedleyError(code, message);
  });
}

function recordValue(
  { collection }: CollectionEncoders,
  space: Space,
  { input, at }: { input: unknown; at: number },
): unknown {
  if (isGraphSpace(space.definition)) {
    throw new MedleyError("query_invalid", `space "${space.name}" says of a record what its neighbours are`, {
      mend: 'ask for it "as": "query"',
    });
  }
  const field = collection.fields.find(({ name }) => name === space.fields[0]);
  assert(field !== undefined);
  const parsed = parseValue(field, input, false);
  if (!parsed.ok) throw inInput(at, parsed.failure);
  if (parsed.value === null) throw inInput(at, "is missing");
  return parsed.value;
}

function inInput(at: number, problem: string): MedleyError {
  return new MedleyError("query_invalid", `inputs[${at}]: ${problem}`);
}
