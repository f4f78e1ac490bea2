import { readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { readImageModel } from "../artefact/image-model.ts";
import { sessionOptions } from "../runtime/session.ts";
import { ImageSession } from "./image-session.ts";

/** Made by `infra/reference/image.py`. */
const folder = join(import.meta.dirname, "../../fixtures/image");

/** Small models of random weights, true to their architectures; and the one that comes with Medley. */
export const modelNames = ["tiny-vit", "tiny-clip", "tiny-resnet", "thin-resnet-50"] as const;
export type ModelName = (typeof modelNames)[number];

/** Pictures that the Python libraries were given too, in their order there. */
export const parityPictures = [
  ...[
    "photo.jpg",
    "alpha.png",
    "grey.jpg",
    "cmyk.jpg",
    "rotated.jpg",
    "palette.gif",
    "lossless.webp",
    "deep.png",
  ],
  ...["wide.png", "tall.png", "small.png", "large.jpg", "large.png", "still.avif", "page.tiff"],
];
export const photographs = [
  ...["astronaut", "chelsea", "coffee", "rocket", "hubble", "retina"],
  ...["ihc", "motorcycle", "coins", "brick", "china", "flower"],
];

export function modelPath(name: ModelName): string {
  return name === "thin-resnet-50" ? name : join(folder, "models", name);
}
export function picture(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, "pictures", name)));
}

export async function openFixture(name: ModelName): Promise<ImageSession> {
  return ImageSession.open(await readImageModel(modelPath(name), {}), sessionOptions);
}

/** Unit-length vectors of pictures, all of which have to be readable. */
export async function vectorsOf(
  session: ImageSession,
  pictures: readonly Uint8Array[],
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = [];
  for (const bytes of pictures) {
    const { failures, ...rows } = await session.prepare([bytes], "passage");
    if (failures[0] !== undefined) throw new Error(failures[0].message);
    vectors.push((await session.run(rows)).vectors);
  }
  return vectors;
}

export function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, x, i) => sum + x * (b[i] as number), 0);
}

/** What the libraries made of the parity pictures: vectors, and RGB pixels after resize and crop. */
export async function referenceOf(
  name: ModelName,
): Promise<{ vectors: Float32Array[]; pixels: Uint8Array[] }> {
  const json = JSON.parse(readFileSync(join(folder, "reference.json"), "utf8"));
  const vectors = parityPictures.map((each) => {
    return new Float32Array(Uint8Array.from(Buffer.from(json[name][each] as string, "base64")).buffer);
  });
  const all = await sharp(join(folder, `${name}.webp`))
    .removeAlpha()
    .raw()
    .toBuffer();
  const length = all.length / parityPictures.length;
  const pixels = parityPictures.map((_, i) => new Uint8Array(all.subarray(i * length, (i + 1) * length)));
  return { vectors, pixels };
}
