/** What the thin ResNet-50 is for: a picture that was changed a little stays nearest to its original. */
import sharp, { type Sharp } from "sharp";
import { expect, test } from "vitest";
import { cosine, openFixture, photographs, picture, vectorsOf } from "./pictures.fixture.ts";

const cropOf = (share: number) => async (image: Sharp) => {
  const { width, height } = await image.metadata();
  const [w, h] = [Math.round(width * share), Math.round(height * share)];
  return image.extract({ left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h });
};
const changes: Readonly<Record<string, (image: Sharp) => Sharp | Promise<Sharp>>> = {
  "turned by 5 degrees": (image) => image.rotate(5),
  "90% from the middle": cropOf(0.9),
  "60% from the middle": cropOf(0.6),
  "brightness x 1.3": (image) => image.modulate({ brightness: 1.3 }),
  "brightness x 0.7": (image) => image.modulate({ brightness: 0.7 }),
  "JPEG of quality 30": (image) => image.jpeg({ quality: 30 }),
  mirrored: (image) => image.flop(),
  "half the size": async (image) => image.resize(Math.round((await image.metadata()).width / 2)),
};
test("changed pictures are nearer to their originals than any two pictures to each other", {
  timeout: 240_000,
}, async () => {
  const session = await openFixture("thin-resnet-50");
  const originals = await vectorsOf(
    session,
    photographs.map((name) => picture(`${name}.webp`)),
  );
  const different = originals.flatMap((a, i) => originals.slice(i + 1).map((b) => cosine(a, b)));
  const differentMax = Math.max(...different);
  const mean = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
  const figures = [
    `different pictures: least ${Math.min(...different).toFixed(3)}, mean ${mean(different).toFixed(3)}, most ${differentMax.toFixed(3)}`,
  ];
  let found = 0;
  let searches = 0;
  for (const [change, apply] of Object.entries(changes)) {
    const changed: Uint8Array[] = [];
    for (const name of photographs) {
      const image = await apply(sharp(picture(`${name}.webp`)));
      changed.push(await (change.startsWith("JPEG") ? image : image.png()).toBuffer());
    }
    const scores = (await vectorsOf(session, changed)).map((vector) =>
      originals.map((original) => cosine(vector, original)),
    );
    const own = scores.map((row, index) => row[index] as number);
    found += scores.filter((row, index) => Math.max(...row) === own[index]).length;
    searches += scores.length;
    figures.push(`${change}: least ${Math.min(...own).toFixed(3)}, mean ${mean(own).toFixed(3)}`);
    expect(Math.min(...own), change).toBeGreaterThan(differentMax);
  }
  figures.push(`the original is found for ${found} of ${searches}`);
  console.log(figures.join("\n"));
  expect(found / searches).toBeGreaterThanOrEqual(0.95);
});
