/** Pictures as the Python libraries (transformers on Pillow, PyTorch) prepare and embed them. */
import { describe, expect, test } from "vitest";
import { readImageModel } from "../artefact/image-model.ts";
import { processedPixels } from "./image-row.ts";
import {
  cosine,
  modelNames,
  modelPath,
  openFixture,
  parityPictures,
  picture,
  referenceOf,
  vectorsOf,
} from "./pictures.fixture.ts";

const levelsMax = 1;
const cosineMin = 0.999;

describe.for(modelNames)("%s", async (name) => {
  const session = await openFixture(name);
  const { processor } = await readImageModel(modelPath(name), {});
  const reference = await referenceOf(name);

  test.for(parityPictures.map((file, index) => ({ file, index })))("$file", async ({ file, index }) => {
    const { values } = await processedPixels(picture(file), processor);
    const expected = reference.pixels[index] as Uint8Array;
    expect(values.length).toBe(expected.length);
    const levels =
      values.reduce((sum, level, i) => sum + Math.abs(level - (expected[i] as number)), 0) / values.length;
    const [vector] = await vectorsOf(session, [picture(file)]);
    const close = cosine(vector as Float32Array, reference.vectors[index] as Float32Array);
    console.log(`${name} ${file}: ${levels.toFixed(3)} levels of 255 on average, cosine ${close.toFixed(6)}`);
    expect(levels).toBeLessThanOrEqual(levelsMax);
    expect(close).toBeGreaterThanOrEqual(cosineMin);
  });
});
