import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { gradientCases } from "./gradient-cases.fixture.ts";
import { buildCase, OpenCase, relativeErrors } from "./gradient-check.fixture.ts";
import { differentiableOperators } from "./gradients.ts";

/** By infra/reference/gradients.py; little-endian float32 in base64. */
interface Reference {
  readonly parameters: readonly string[];
  /** Weighs each element of the result in the sum that is differentiated. */
  readonly mix: string;
  /** Of the parameters, in their order. */
  readonly gradients: readonly string[];
}

const file = gunzipSync(readFileSync(new URL("./pytorch.json.gz", import.meta.url)));
const references: Readonly<Record<string, Reference>> = JSON.parse(file.toString());

function floatsOf(text: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer);
}

describe("gradients are PyTorch's", () => {
  test.for(gradientCases)("%s", async ([name, shapes, build]) => {
    const { parameters, mix, gradients } = references[name] as Reference;
    await using open = await OpenCase.open(shapes, build);
    expect(parameters.map((text) => floatsOf(text).length)).toEqual(
      open.parameters.map(({ initial }) => initial.length),
    );
    const found = await open.gradientsOf(parameters.map(floatsOf), floatsOf(mix));
    for (const error of relativeErrors(found, gradients.map(floatsOf))) expect(error).toBeLessThan(1e-4);
  });
});

test("every rule has a case, and every case its reference", () => {
  const covered = gradientCases.flatMap(([, shapes, build]) =>
    buildCase(shapes, build).graph.nodes.map(({ opType }) => opType),
  );
  expect(differentiableOperators.filter((operator) => !covered.includes(operator))).toEqual([
    "Dropout", // Drawn anew by every run: a test of its own.
  ]);
  expect(gradientCases.map(([name]) => name).sort()).toEqual(Object.keys(references).sort());
});
