import type { ImageModel } from "../artefact/image-model.ts";
import type { ImageProcessor, Size } from "../artefact/image-processor.ts";
import { decodeImage, type Picture, type Reading } from "./decode-image.ts";
import { type Axis, type Kernel, type Pixels, resample, sourceWindow } from "./resample.ts";
import { type Extent, type ImageSize, wholeExtents } from "./shrink.ts";

/** A picture as it is once it has been resized and cropped, before its levels are scaled. */
export async function processedPixels(bytes: Uint8Array, processor: ImageProcessor): Promise<Pixels> {
  const kernel: Kernel = processor.resize?.kernel ?? "nearest";
  let plan: Plan | undefined;
  const region = await decodeImage(bytes, (picture) => {
    plan = planOf(picture, processor, kernel);
    return plan.reading;
  });
  const { crop, x, y } = plan as Plan;
  return padded(resample(region, { x, y, kernel }), crop, { left: x.before, top: y.before });
}

/** An axis of the resized picture, of which the crop keeps the window, and zeros before that. */
interface Cut extends Axis {
  readonly before: number;
}
interface Plan {
  readonly crop: Size;
  readonly x: Cut;
  readonly y: Cut;
  readonly reading: Reading;
}

function planOf(picture: Picture, processor: ImageProcessor, kernel: Kernel): Plan {
  const target = resizedSize(picture.uprightSize, processor);
  const crop = processor.crop ?? target;
  const source = kernel === "nearest" ? wholeExtents(picture.uprightSize) : picture.shrunk(target);
  const x = cutOf(source.x, target.width, crop.width);
  const y = cutOf(source.y, target.height, crop.height);
  const wholeSize = { width: x.pixels, height: y.pixels };
  const reading = { wholeSize, columns: sourceWindow(x, kernel), rows: sourceWindow(y, kernel) };
  return { crop, x, y, reading };
}

function resizedSize(size: ImageSize, { resize }: ImageProcessor): Size {
  if (resize === null) return size;
  if ("height" in resize.to) return resize.to;
  const { shortestEdge } = resize.to;
  const { width, height } = size;
  const longest = Math.trunc((shortestEdge * Math.max(width, height)) / Math.min(width, height));
  return width <= height
    ? { width: shortestEdge, height: longest }
    : { width: longest, height: shortestEdge };
}

function cutOf(source: Extent, target: number, crop: number): Cut {
  const start = Math.floor((target - crop) / 2);
  const from = Math.max(0, start);
  const to = Math.min(target, start + crop);
  return { ...source, target, window: { start: from, length: to - from }, before: from - start };
}

function padded(pixels: Pixels, size: Size, { left, top }: { left: number; top: number }): Pixels {
  if (pixels.width === size.width && pixels.height === size.height) return pixels;
  const values = new Uint8Array(size.width * size.height * 3);
  for (let row = 0; row < pixels.height; row++) {
    const from = row * pixels.width * 3;
    values.set(pixels.values.subarray(from, from + pixels.width * 3), ((top + row) * size.width + left) * 3);
  }
  return { values, width: size.width, height: size.height };
}

/** Numbers of one picture in a model's input. */
export function rowValuesOf({ input }: ImageModel): number {
  return 3 * input.height * input.width;
}

/** Writes the numbers that the model reads for one picture into `row`, of `rowValuesOf` places. */
export function writeRow(pixels: Pixels, { processor, input }: ImageModel, row: Float32Array): void {
  const { scale, mean, deviation, flipChannels } = processor;
  const places = pixels.width * pixels.height;
  for (let channel = 0; channel < 3; channel++) {
    const levels = new Float32Array(256);
    for (let level = 0; level < 256; level++) {
      levels[level] = (level * scale - (mean[channel] as number)) / (deviation[channel] as number);
    }
    let from = flipChannels ? 2 - channel : channel;
    let to = input.layout === "NCHW" ? channel * places : channel;
    const step = input.layout === "NCHW" ? 1 : 3;
    for (let place = 0; place < places; place++, from += 3, to += step) {
      row[to] = levels[pixels.values[from] as number] as number;
    }
  }
}
