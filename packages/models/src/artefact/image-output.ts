import { MedleyError } from "@medley/core";
import {
  channelsOf,
  declaredTypeOf,
  featureOutputs,
  hasTensor,
  type OnnxModel,
  type OutputCandidate,
} from "../onnx/index.ts";

/** A tensor of the model: [batch, d] is the embedding itself, of [batch, tokens, d] it is the first token (CLS), and of
 * [batch, d, height, width] the mean over all places. */
export interface ImageOutput {
  readonly name: string;
  readonly dimensions: number;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The outputs that hold the embedding, the best first. The picture side of CLIP projects to the space it shares with texts.
 * Transformers of the ViT kind start their tokens with one that stands for the whole picture; their pooler (a layer on
 * top of it) comes second, since checkpoints that were tuned as classifiers have no trained one and exporters then fill it
 * with random numbers. SigLIP has no such token, only its pooler. What convolves is averaged over its places, which is also
 * what its pooler does.
 */
const projected = ["image_embeds"];
const firstToken = ["last_hidden_state", "pooler_output"];
const pooledOnly = ["pooler_output"];
const averaged = ["pooler_output", "last_hidden_state"];
const outputsByFamily: Readonly<Record<string, readonly string[]>> = {
  ...{ clip: [...projected, ...pooledOnly], clip_vision_model: [...projected, ...pooledOnly] },
  ...{ siglip: [...projected, ...pooledOnly], siglip_vision_model: [...projected, ...pooledOnly] },
  ...{ vit: firstToken, deit: firstToken, beit: firstToken, dinov2: firstToken },
  ...{ resnet: averaged, regnet: averaged, convnext: averaged, convnextv2: averaged, bit: averaged },
  ...{ mobilenet_v1: averaged, mobilenet_v2: averaged, mobilevit: averaged, mobilevitv2: averaged },
};
/** Of other families only outputs whose names leave no doubt are taken. */
const outputsByName = [
  "image_embeds",
  "image_embeddings",
  "sentence_embedding",
  "embedding",
  "embeddings",
  "pooler_output",
];

/**
 * Which tensor is the embedding: the one that is named (an output, or any tensor within), or the family's. Throws
 * `model_unsupported` where there is none, with what could be named.
 */
export function imageOutputOf(options: {
  model: OnnxModel;
  config: Json;
  output: string | undefined;
  candidates: () => readonly OutputCandidate[];
  path: string;
}): ImageOutput {
  const { model, config, output, path } = options;
  const { graph } = model;
  const listed = () => {
    const names = options
      .candidates()
      .map(({ name, dims }) => `"${name}" [${dims?.map((d) => d ?? "?") ?? "?"}]`);
    return names.length === 0 ? "a tensor of [batch, d]" : `one of ${names.join(", ")}`;
  };
  if (output !== undefined && !hasTensor(model, output)) {
    throw new MedleyError("model_unsupported", `${path}: no tensor of the model is named "${output}"`, {
      mend: `set "output" to ${listed()}`,
    });
  }
  const features = featureOutputs(graph);
  const wanted = outputsByFamily[String(config.model_type)] ?? outputsByName;
  const name = output ?? wanted.find((each) => features.includes(each));
  if (name === undefined) {
    const names = graph.output.map((each) => each.name).join(", ");
    throw new MedleyError(
      "model_unsupported",
      `${path}: none of its outputs (${names}) is known to be an embedding`,
      { mend: `name the layer before the classifier with "output": ${listed()}` },
    );
  }
  const dimensions = dimensionsOf(model, config, name);
  if (dimensions === null) {
    throw new MedleyError(
      "model_unsupported",
      `${path}: the size of "${name}" follows from nothing in the model`,
      {
        mend: "use an export whose outputs have shapes, or add hidden_size to config.json",
      },
    );
  }
  return { name, dimensions };
}

/** What the graph says counts, then the config: a graph may have been cut, its config stays. */
function dimensionsOf({ graph }: OnnxModel, config: Json, name: string): number | null {
  const vision = (config.vision_config ?? {}) as Json;
  const hidden = [
    config.hidden_size,
    vision.hidden_size,
    (config.hidden_sizes as unknown[] | undefined)?.at(-1),
  ];
  const configured = [
    ...(name === "image_embeds" ? [config.projection_dim, vision.projection_dim] : []),
    ...(name === "image_embeds" ? [] : hidden),
  ].find((value) => Number.isSafeInteger(value) && (value as number) > 0) as number | undefined;
  const declared = declaredTypeOf(graph, name)?.dims;
  // Rank 4 has its channels first or last: the configured number says where.
  if (declared?.length === 4 && configured !== undefined && declared[3] === configured) return configured;
  return channelsOf(graph, name) ?? configured ?? null;
}
