import { strict as assert } from "node:assert";
import {
  hear,
  type Said,
  sageIncomingFile,
  sageLayerParts,
  sageLayersFile,
  sageMessagesFile,
  sageNodesFile,
} from "@medley/models";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph, openDimension, type TrainedTensors, type Value } from "../engine/index.ts";
import type { Adjacency } from "./adjacency.ts";
import type { SageData } from "./sage-data.ts";
import { messageSizes, SageLayers, type SageSizes } from "./sage-layers.ts";
import { classLogits } from "./sage-objective.ts";

/** Rows that one run of a graph takes. */
const runRowsMax = 2048;

export interface ServedSage {
  readonly data: SageData;
  readonly sizes: SageSizes;
  /** 0: it was not trained to tell classes apart. */
  readonly classCount: number;
}

/**
 * The artefact's files. `model.onnx` takes `features` [batch, features] and what is heard in the two layers, `first` and `second`
 * [batch, messages]; the table of messages is what every node says with all of its neighbours, not some that were drawn.
 */
export async function serveSage(
  trained: TrainedTensors,
  { data, sizes, classCount }: ServedSage,
): Promise<Map<string, Uint8Array>> {
  const { graph, ...values } = servedGraph(trained, sizes, classCount);
  const [firstWidth, secondWidth] = messageSizes(sizes);
  const nodes = data.ids.length;
  const { values: features, dimensions } = data.features;
  const firsts = await computed(graph, values.firstMessage, { features: [features, dimensions] });
  const heard = hearAll(data.adjacency, firsts, firstWidth, sizes);
  const seconds = await computed(graph, values.secondMessage, {
    features: [features, dimensions],
    first: [heard, firstWidth],
  });
  const messages = new Float32Array(nodes * (firstWidth + secondWidth));
  for (let node = 0; node < nodes; node += 1) {
    const at = node * (firstWidth + secondWidth);
    messages.set(firsts.subarray(node * firstWidth, (node + 1) * firstWidth), at);
    messages.set(seconds.subarray(node * secondWidth, (node + 1) * secondWidth), at + firstWidth);
  }
  const outputs = new Map([["embedding", values.embedding]]);
  if (values.logits !== null) outputs.set("logits", values.logits);
  return new Map([
    ["model.onnx", graph.model(outputs)],
    [sageNodesFile, new TextEncoder().encode(JSON.stringify(data.ids))],
    [sageMessagesFile, bytesOf(messages)],
    [sageLayersFile, bytesOf(layersOf(trained, sizes))],
    [sageIncomingFile, incomingBytes(data.incoming)],
  ]);
}

function servedGraph(trained: TrainedTensors, sizes: SageSizes, classCount: number) {
  const graph = new Graph({ trained });
  const layers = new SageLayers(graph, sizes);
  const [firstWidth, secondWidth] = messageSizes(sizes);
  const features = graph.input("features", [openDimension, sizes.features]);
  const first = graph.input("first", [openDimension, firstWidth]);
  const second = graph.input("second", [openDimension, secondWidth]);
  const hidden = layers.hidden(features, first);
  const embedding = layers.embedding(hidden, second);
  return {
    graph,
    firstMessage: layers.firstMessage(features),
    secondMessage: layers.secondMessage(hidden),
    embedding,
    logits: classCount === 0 ? null : classLogits(graph, embedding, classCount),
  };
}

/** `value` for all rows of the inputs, each given as its numbers and how many a row has. */
async function computed(
  graph: Graph,
  value: Value,
  inputs: Readonly<Record<string, readonly [values: Float32Array, width: number]>>,
): Promise<Float32Array> {
  const session = await InferenceSession.create(graph.model(new Map([["out", value]])), {
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const [values, width] = inputs.features as readonly [Float32Array, number];
    const rows = values.length / width;
    const result = new Float32Array(rows * value.size(-1));
    for (let from = 0; from < rows; from += runRowsMax) {
      const to = Math.min(rows, from + runRowsMax);
      const feeds = Object.entries(inputs).map(([name, [all, each]]) => {
        return [name, new Tensor("float32", all.subarray(from * each, to * each), [to - from, each])];
      });
      const { out } = await session.run(Object.fromEntries(feeds));
      assert(out?.data instanceof Float32Array);
      result.set(out.data, from * value.size(-1));
    }
    return result;
  } finally {
    await session.release();
  }
}

function hearAll(
  { offsets, targets, weights }: Adjacency,
  messages: Float32Array,
  width: number,
  { aggregator }: SageSizes,
): Float32Array {
  const heard = new Float32Array((offsets.length - 1) * width);
  for (let node = 0; node + 1 < offsets.length; node += 1) {
    const said: Said[] = [];
    for (let at = offsets[node] as number; at < (offsets[node + 1] as number); at += 1) {
      const from = (targets[at] as number) * width;
      said.push([messages.subarray(from, from + width), weights[at] as number]);
    }
    heard.set(hear(said, width, aggregator), node * width);
  }
  return heard;
}

/** What a node that is new is made to speak with. */
function layersOf(trained: TrainedTensors, sizes: SageSizes): Float32Array {
  const parts = sageLayerParts({ features: sizes.features, messages: messageSizes(sizes) }, sizes.aggregator);
  const values = parts.map(([name, rows, columns]) => {
    const tensor = trained.get(name);
    assert.equal(tensor?.length, rows * columns, `parameter ${name}`);
    return tensor as Float32Array;
  });
  const all = new Float32Array(values.reduce((sum, { length }) => sum + length, 0));
  let from = 0;
  for (const each of values) {
    all.set(each, from);
    from += each.length;
  }
  return all;
}

function incomingBytes({ offsets, targets, weights }: Adjacency): Uint8Array {
  const bytes = new Uint8Array(4 * (offsets.length + targets.length + weights.length));
  bytes.set(bytesOf(offsets));
  bytes.set(bytesOf(targets), 4 * offsets.length);
  bytes.set(bytesOf(weights), 4 * (offsets.length + targets.length));
  return bytes;
}

/** As they lie in memory: little-endian on every machine that Node.js runs on but IBM's. */
function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
