import type { Model } from "../artefact/model.ts";
import type { TextModel } from "../artefact/text-model.ts";
import type { TrainedModelDescription } from "../trained/trained-model.ts";
import { valuesOf } from "../trained/trained-session.ts";
import type { BatchBounds } from "./batches.ts";
import type { Device } from "./device.ts";

/** How much of a model's work is in hand at once. */
export interface Scale {
  readonly batch: BatchBounds;
  /** Whether inputs are prepared, then meet others in a batch; else each is prepared and run by one thread in one go. */
  readonly gathers: boolean;
  /** Inputs prepared by one job: few enough that all threads take part. */
  readonly jobInputsMax: number;
  /** Inputs that are read, prepared or wait to be run at once: what bounds memory. */
  readonly inputsAdmittedMax: number;
}

/**
 * On a CPU 512 tokens are the fastest of 256, 384, 512, 1,024 and 2,048 (the hidden states stay in its cache), and hold
 * a thread, and with it a waiting search, for less than 0.1 s. Starting a run costs about as much as eight tokens. A GPU
 * wants to be filled.
 */
const textBatch: Record<"cpu" | "gpu", Omit<BatchBounds, "pads">> = {
  cpu: { paddedValuesMax: 512, batchRowsMax: 64, runCostValues: 8 },
  gpu: { paddedValuesMax: 16_384, batchRowsMax: 256, runCostValues: 512 },
};

/** Samples of a GPU's batch of clips. On a CPU clips together are no faster than alone. */
const audioBatch = { paddedValuesMax: 3_200_000, batchRowsMax: 32, runCostValues: 80_000 };

/** Of a GPU. On a CPU pictures together are no faster than alone. */
const imageBatch = {
  paddedValuesMax: Number.POSITIVE_INFINITY,
  batchRowsMax: 16,
  runCostValues: 1,
  pads: false,
};

/** A picture or clip in hand may be a file of 32 MB: a few for each thread, so that none waits for the disk. */
const filesPerThread = 4;
/** Of clips, once they are samples: 61 MB at 16,000 a second. */
const audioSecondsAdmittedMax = 960;

export function scaleOf(model: Model, { device, threads }: { device: Device; threads: number }): Scale {
  const kind = device === "cpu" ? "cpu" : "gpu";
  const gathers = kind === "gpu";
  const filesMax = gathers ? 2 * imageBatch.batchRowsMax : filesPerThread * threads;
  switch (model.kind) {
    case "text":
      // The tokens of 2,048 texts take 4 MB at 512 each.
      return { batch: textBatchOf(model, kind), gathers: true, jobInputsMax: 32, inputsAdmittedMax: 2_048 };
    case "trained":
      return trainedScaleOf(model);
    case "image":
      return { batch: imageBatch, gathers, jobInputsMax: 1, inputsAdmittedMax: filesMax };
    case "audio": {
      const clipsMax = Math.max(1, Math.floor(audioSecondsAdmittedMax / model.secondsMax));
      const batch = { ...audioBatch, pads: model.sharesBatches === "padded" };
      return { batch, gathers, jobInputsMax: 1, inputsAdmittedMax: Math.min(filesMax, clipsMax) };
    }
  }
}

/**
 * Small graphs: what a call costs is the call, so a packet's 100 records are one. A bag's rows become `dimensions` floats a
 * pair in the graph (32 MB), fixed shapes are bound by themselves (16 MB); in hand are 256 MB at most.
 */
function trainedScaleOf({ form, dimensions, inputs }: TrainedModelDescription): Scale {
  const batch = { batchRowsMax: 128, runCostValues: 2_048 };
  if (form === "bag") {
    const paddedValuesMax = Math.max(2, 2 * Math.floor(2 ** 23 / dimensions));
    return {
      batch: { ...batch, paddedValuesMax, pads: true },
      gathers: true,
      jobInputsMax: 128,
      inputsAdmittedMax: 2_048,
    };
  }
  const inputsAdmittedMax = Math.min(2_048, Math.max(1, Math.floor(2 ** 26 / valuesOf(inputs))));
  return {
    batch: { ...batch, paddedValuesMax: 2 ** 22, pads: false },
    gathers: true,
    jobInputsMax: Math.min(128, inputsAdmittedMax),
    inputsAdmittedMax,
  };
}

function textBatchOf({ rowsPerBatchMax }: TextModel, kind: "cpu" | "gpu"): BatchBounds {
  const batch = textBatch[kind];
  return {
    ...batch,
    batchRowsMax: Math.min(batch.batchRowsMax, rowsPerBatchMax ?? batch.batchRowsMax),
    pads: true,
  };
}
