import type { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { imageProcessorOf, processedSize } from "./image-processor.ts";

const read = (json: object, modelType = "vit") =>
  imageProcessorOf(json as Record<string, unknown>, modelType, "file");
const clip = { image_processor_type: "CLIPImageProcessor" };
const exact = { height: 32, width: 48 };

test("files of the hub: what they ask for", () => {
  // google/vit-base-patch16-224-in21k, openai/clip-vit-base-patch32, microsoft/resnet-50, as published.
  expect(
    read({
      ...{
        do_normalize: true,
        do_resize: true,
        feature_extractor_type: "ViTFeatureExtractor",
        resample: 2,
        size: 224,
      },
      ...{ image_mean: [0.5, 0.5, 0.5], image_std: [0.5, 0.5, 0.5] },
    }),
  ).toEqual({
    ...{ resize: { to: { height: 224, width: 224 }, kernel: "bilinear" }, crop: null, flipChannels: false },
    ...{ scale: 1 / 255, mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5] },
  });
  expect(
    read({
      ...{
        crop_size: 224,
        do_center_crop: true,
        do_normalize: true,
        do_resize: true,
        resample: 3,
        size: 224,
      },
      ...{ feature_extractor_type: "CLIPFeatureExtractor", image_mean: [0.48145466, 0.4578275, 0.40821073] },
      image_std: [0.26862954, 0.26130258, 0.27577711],
    }),
  ).toMatchObject({
    ...{ resize: { to: { shortestEdge: 224 }, kernel: "bicubic" }, crop: { height: 224, width: 224 } },
    mean: [0.48145466, 0.4578275, 0.40821073],
  });
  expect(
    read({
      ...{
        crop_pct: 0.875,
        do_normalize: true,
        do_resize: true,
        feature_extractor_type: "ConvNextFeatureExtractor",
      },
      ...{ image_mean: [0.485, 0.456, 0.406], image_std: [0.229, 0.224, 0.225], resample: 3, size: 224 },
    }),
  ).toMatchObject({
    resize: { to: { shortestEdge: 256 }, kernel: "bicubic" },
    crop: { height: 224, width: 224 },
  });
});

test("a file that does not name its processor has the model's usual one", () => {
  expect(read({ size: 224 }, "convnext").resize?.to).toEqual({ shortestEdge: 256 });
  expect(read({}, "clip").mean).toEqual([0.48145466, 0.4578275, 0.40821073]);
  expect(read({}, "dinov2").crop).toEqual({ height: 224, width: 224 });
});

test.for([
  [
    "ConvNext from 384 pixels on squeezes",
    { image_processor_type: "ConvNextImageProcessor" },
    { height: 384, width: 384 },
  ],
  ["fast processors are the same", { image_processor_type: "ViTImageProcessorFast", size: exact }, exact],
  ["null is not given", { ...clip, size: null, do_pad: null, pad_size: null }, { shortestEdge: 224 }],
] as const)("%s", ([, json, to]) => {
  expect(read(json).resize?.to).toEqual(to);
});

test("steps that are off do nothing", () => {
  const off = {
    do_resize: false,
    do_center_crop: false,
    do_rescale: false,
    do_normalize: false,
    do_pad: false,
  };
  expect(read({ ...clip, ...off })).toEqual({
    ...{ resize: null, crop: null, flipChannels: false, scale: 1, mean: [0, 0, 0], deviation: [1, 1, 1] },
  });
  expect(() => processedSize(read({ ...clip, do_center_crop: false }))).toThrow(RangeError);
});

test.for([
  ["another processor", { image_processor_type: "EfficientNetImageProcessor" }, "EfficientNetImageProcessor"],
  ["a step that is not known", { do_thumbnail: true }, "do_thumbnail"],
  ["padding", { do_pad: true }, "do_pad"],
  ["a number that is not known", { size_divisor: 32 }, "size_divisor"],
  ["a share to crop where the processor has none", { crop_pct: 0.9 }, "crop_pct"],
  ["a longest edge", { size: { shortest_edge: 224, longest_edge: 800 } }, "size"],
  ["only a longest edge", { size: { longest_edge: 800 } }, "size"],
  ["a resampling that is not there", { resample: 9 }, "resample"],
  ["a size of nothing", { size: { height: 0, width: 224 } }, "size"],
  ["a size beyond all measure", { size: 100_000 }, "size"],
  ["two means", { image_mean: [0.5, 0.5] }, "image_mean"],
  ["a deviation of 0", { image_std: [0.5, 0, 0.5] }, "image_std"],
  ["a factor that is none", { rescale_factor: "1/255" }, "rescale_factor"],
  ["a flag that is none", { do_resize: "yes" }, "do_resize"],
] as const)("%s is refused", ([, json, named]) => {
  let error: MedleyError | undefined;
  try {
    read({ image_processor_type: "ViTImageProcessor", ...json });
  } catch (thrown) {
    error = thrown as MedleyError;
  }
  expect(error).toMatchObject({ code: "model_unsupported", mend: expect.any(String) });
  expect(error?.message).toContain(`"${named}"`);
});
