import type { Model } from "../artefact/model.ts";
import type { TextModel } from "../artefact/text-model.ts";
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

const audioSecondsAdmittedMax = 960;

/** Of a GPU. On a CPU pictures together are no faster than alone. */
const imageBatch = {
  paddedValuesMax: Number.POSITIVE_INFINITY,
  batchRowsMax: 16,
  runCostValues: 1,
  pads: false,
};

export function scaleOf(model: Model, device: Device): Scale {
  const kind = device === "cpu" ? "cpu" : "gpu";
  switch (model.kind) {
    case "audio":
      // The samples of 32 clips take 61 MB at 30 seconds each; of longer ones fewer are let in.
      return {
        batch: { ...audioBatch, pads: model.sharesBatches === "padded" },
        gathers: kind === "gpu",
        jobInputsMax: 1,
        inputsAdmittedMax: Math.max(1, Math.min(32, Math.floor(audioSecondsAdmittedMax / model.secondsMax))),
      };
    case "text":
      // The tokens of 2,048 texts take 4 MB at 512 each.
      return { batch: textBatchOf(model, kind), gathers: true, jobInputsMax: 32, inputsAdmittedMax: 2_048 };
    case "image":
      // A decoded picture may take 100 MB while it is made small, and as a row 600 kB.
      return { batch: imageBatch, gathers: kind === "gpu", jobInputsMax: 1, inputsAdmittedMax: 32 };
  }
}

function textBatchOf({ rowsPerBatchMax }: TextModel, kind: "cpu" | "gpu"): BatchBounds {
  const batch = textBatch[kind];
  return {
    ...batch,
    batchRowsMax: Math.min(batch.batchRowsMax, rowsPerBatchMax ?? batch.batchRowsMax),
    pads: true,
  };
}
