import { MedleyError } from "@medley/core";
import {
  type CollectionEncoders,
  collectionNamed,
  type Encoding,
  encodedAs,
  encodeInputs,
} from "@medley/pipeline";
import { type Body, isNestedWithin, jsonOf, levelsMax } from "../body/body.ts";
import type { Routes } from "../server.ts";

export interface EncodeAnswer {
  /** One per input, in order. */
  readonly segments: readonly (readonly number[])[];
}

export const encodeInputsMax = 256;
const bodyBytesMax = 2 ** 23;

/**
 * `POST /v1/collections/:name/spaces/:space/encode`: `{inputs: [...], as?: "query" | "record"}`, at most `encodeInputsMax`, answered with an
 * `EncodeAnswer`. Ends when the client leaves.
 */
export function encodeRoutes({
  collections,
}: {
  readonly collections: ReadonlyMap<string, CollectionEncoders>;
}): Routes {
  return (app) => {
    app.post<{ Params: { name: string; space: string }; Body: Body | undefined }>(
      "/v1/collections/:name/spaces/:space/encode",
      {
        config: { scope: "search" },
        bodyLimit: Math.min(bodyBytesMax, app.initialConfig.bodyLimit ?? bodyBytesMax),
      },
      async (request, reply): Promise<EncodeAnswer> => {
        const { name, space } = request.params;
        const opened = collectionNamed(collections, name);
        const asked = parseEncoding(jsonOf(request.body));
        const gone = new AbortController();
        reply.raw.once("close", () => gone.abort());
        const segments = await encodeInputs(opened, { space, ...asked }, gone.signal);
        return { segments: segments.map((segment) => [...segment]) };
      },
    );
  };
}

function parseEncoding(input: unknown): Omit<Encoding, "space"> {
  if (!isNestedWithin(input, levelsMax)) throw invalid(`inputs are nested at most ${levelsMax} levels deep`);
  const { inputs, as = "query", ...rest } = (input ?? {}) as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`an encoding has no key "${unknown}"`);
  if (!Array.isArray(inputs) || inputs.length === 0 || inputs.length > encodeInputsMax) {
    throw invalid(`inputs must be a list of 1 to ${encodeInputsMax}`);
  }
  const known = encodedAs.find((one) => one === as);
  if (known === undefined) throw invalid(`"as" must be one of ${encodedAs.join(", ")}`);
  return { inputs, as: known };
}

function invalid(message: string): MedleyError {
  return new MedleyError("query_invalid", message, {
    mend: 'send {"inputs": ["a text", "another"], "as": "query"}',
  });
}
