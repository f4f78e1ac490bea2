import { strict as assert } from "node:assert";
import { MedleyError } from "@medley/core";
import {
  decodeOnnx,
  encodeOnnx,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  subgraphsOf,
  tensorsNeeded,
  valueInfoOf,
} from "@medley/models/onnx";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { Graph, type GraphNode } from "./graph.ts";
import { type Shape, sizeOf } from "./shape.ts";
import { type UpgradedNode, upgradeNode } from "./upgrade-node.ts";
import { type ElementType, elementTypes, type Value } from "./value.ts";

/** A tensor of the file that the graph takes: one of the file's inputs, or one within, whose makers are then left out. */
export interface GraphInput {
  readonly shape: Shape;
  /** Default float32. */
  readonly type?: ElementType;
}

export interface ReadGraphOptions {
  /** By name. Every dimension has a size: a graph that is trained is one of fixed shapes. */
  readonly inputs: Readonly<Record<string, GraphInput>>;
  /** What is wanted of it, by name; what they don't need is left out. */
  readonly outputs: readonly string[];
  readonly seed?: number;
}

export interface ReadGraph {
  readonly graph: Graph;
  /** Every tensor of the graph by its name in the file; constants (weights) too. */
  readonly values: ReadonlyMap<string, Value>;
  /** One of `values`, which must be there. */
  value(name: string): Value;
}

/** What a run says of a tensor. */
interface Seen {
  readonly shape: Shape;
  readonly type: ElementType;
}

/** Tensors fetched by one run: more would hold all of a large model's activations at once. */
const fetchedMax = 64;

/**
 * A graph of an ONNX file, or a part of it, that can be differentiated and trained. Shapes are not inferred but seen: the part
 * is run on zeros. What does not depend on the inputs' values (stored weights, shapes, positions) becomes constants, so
 * that `Graph.train` can make parameters of weights that the file computes (from int8, or transposed).
 *
 * Throws `training_unsupported` for a file that holds branches or loops that depend on its inputs, or that ONNX Runtime
 * refuses. The file has its weights in it (see `inlineExternalData`).
 */
export async function readGraph(bytes: Uint8Array, options: ReadGraphOptions): Promise<ReadGraph> {
  const model = decodeOnnx(bytes);
  const part = partOf(model.graph, options);
  const constants = constantTensors(part, options);
  const seen = await lookAtTensors({ ...model, graph: part }, options, constants);
  const graph = new Graph(options.seed === undefined ? {} : { seed: options.seed });
  const values = new Map<string, Value>();
  for (const [name, { shape, type }] of Object.entries(options.inputs)) {
    values.set(name, graph.input(name, shape, type));
  }
  for (const tensor of part.initializer) {
    values.set(tensor.name as string, graph.addConstant(tensor, elementTypeOf(tensor)));
  }
  for (const [name, tensor] of seen.constants)
    values.set(name, graph.addConstant(tensor, elementTypeOf(tensor)));
  const version = model.opsetImport.find(({ domain }) => (domain ?? "") === "")?.version ?? 1n;
  for (const node of part.node) {
    if (node.output.every((name) => name === "" || constants.has(name))) continue;
    const { shape } = seen.tensors.get(node.output[0] as string) as Seen;
    const added = graphNode(upgradeNode(node, version, shape), graph, values, seen.tensors);
    graph.addNode(added);
    for (const output of added.outputs) if (output) values.set(output.name, output);
  }
  const value = (name: string): Value => {
    const found = values.get(name);
    assert(found, `the graph has no tensor ${name}`);
    return found;
  };
  return { graph, values, value };
}

/** The nodes that lie between the inputs and the outputs, in their order, and the weights they use. */
function partOf(graph: OnnxGraph, { inputs, outputs }: ReadGraphOptions): OnnxGraph {
  const named = new Set(Object.keys(inputs));
  const needed = tensorsNeeded(graph, outputs, named);
  const nodes = graph.node.filter(({ output }) =>
    output.some((name) => needed.has(name) && !named.has(name)),
  );
  const made = new Set(nodes.flatMap(({ output }) => output));
  const stored = new Set(graph.initializer.map(({ name }) => name));
  const missing = [...needed].filter((name) => !made.has(name) && !named.has(name) && !stored.has(name));
  if (missing.length > 0) {
    throw new MedleyError(
      "training_unsupported",
      `the graph needs "${missing[0]}", which is neither made in it nor given`,
      {
        mend: `name it among the inputs, with ${missing.length - 1} more`,
      },
    );
  }
  return {
    ...graph,
    node: nodes,
    initializer: graph.initializer.filter(
      ({ name }) => needed.has(name as string) && !named.has(name as string),
    ),
    input: Object.entries(inputs).map(([name, { shape, type = "float32" }]) =>
      valueInfoOf(name, { dataType: elementTypes[type], dims: shape }),
    ),
    output: [],
    valueInfo: [],
  };
}

/** Names of tensors that nodes make and that are the same whatever the inputs' values are. */
function constantTensors(part: OnnxGraph, { inputs }: ReadGraphOptions): Set<string> {
  const known = new Set(part.initializer.map(({ name }) => name as string));
  const found = new Set<string>();
  for (const node of part.node) {
    const taken = node.input.filter((name) => name !== "");
    const isConstant =
      node.opType === "Shape" ||
      node.opType === "Size" ||
      taken.every((name) => known.has(name) && !Object.hasOwn(inputs, name));
    if (isConstant && isDeterministic(node) && subgraphsOf(node).length === 0) {
      for (const name of node.output) {
        known.add(name);
        if (name !== "") found.add(name);
      }
    } else if (subgraphsOf(node).length > 0) {
      throw new MedleyError(
        "training_unsupported",
        `node "${node.name}" (${node.opType}) branches or loops`,
        {
          mend: "export the model without control flow",
        },
      );
    }
  }
  return found;
}

function isDeterministic({ opType }: OnnxNode): boolean {
  return !opType.startsWith("Random") && opType !== "Bernoulli" && opType !== "Multinomial";
}

/** Runs the part on zeros and notes what comes out of every node. */
async function lookAtTensors(
  model: OnnxModel,
  { inputs }: ReadGraphOptions,
  constants: ReadonlySet<string>,
): Promise<{ tensors: Map<string, Seen>; constants: Map<string, OnnxTensor> }> {
  const names = model.graph.node.flatMap(({ output }) => output.filter((name) => name !== ""));
  const probed = encodeOnnx({ ...model, graph: { ...model.graph, output: names.map((name) => ({ name })) } });
  const tensors = new Map<string, Seen>();
  const found = new Map<string, OnnxTensor>();
  const session = await open(probed);
  try {
    const feeds = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, type = "float32" }]) => [name, zeros(shape, type)]),
    );
    const taken = Object.fromEntries(
      Object.entries(feeds).filter(([name]) => session.inputNames.includes(name)),
    );
    for (let from = 0; from < names.length; from += fetchedMax) {
      const results = await session.run(taken, names.slice(from, from + fetchedMax));
      for (const [name, tensor] of Object.entries(results)) {
        const seen = { shape: tensor.dims, type: tensor.type as ElementType };
        tensors.set(name, seen);
        if (constants.has(name)) found.set(name, onnxTensor(name, seen, tensor as Tensor));
      }
    }
  } finally {
    await session.release();
  }
  return { tensors, constants: found };
}

async function open(bytes: Uint8Array): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(bytes, {
      graphOptimizationLevel: "disabled", // Every tensor is asked for as it is written.
      logSeverityLevel: 4,
      intraOpNumThreads: 1,
    });
  } catch (cause) {
    throw new MedleyError(
      "training_unsupported",
      `ONNX Runtime refuses the graph: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function zeros(shape: Shape, type: ElementType): Tensor {
  const size = sizeOf(shape);
  if (type === "int64") return new Tensor("int64", new BigInt64Array(size), shape);
  if (type === "int32") return new Tensor("int32", new Int32Array(size), shape);
  if (type === "bool") return new Tensor("bool", new Uint8Array(size), shape);
  assert.equal(type, "float32", "an input of this type");
  return new Tensor("float32", new Float32Array(size), shape);
}

function onnxTensor(name: string, { shape, type }: Seen, tensor: Tensor): OnnxTensor {
  const data = tensor.data as Float32Array;
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return { name, dims: [...shape], dataType: elementTypes[type], rawData };
}

function elementTypeOf({ name, dataType }: OnnxTensor): ElementType {
  const known = Object.entries(elementTypes).find(([, number]) => number === dataType);
  if (known) return known[0] as ElementType;
  throw new MedleyError(
    "training_unsupported",
    `the tensor "${name}" has the element type ${dataType} of ONNX`,
  );
}

function graphNode(
  { opType, domain, name, input, output, attribute, integers }: UpgradedNode,
  graph: Graph,
  values: ReadonlyMap<string, Value>,
  tensors: ReadonlyMap<string, Seen>,
): Omit<GraphNode, "onnxAttributes" | "attributes"> & { attributes: OnnxNode["attribute"] } {
  const known = (of: string): Value | null => {
    if (of === "") return null;
    const value = values.get(of);
    assert(value, `${of} is made before it is used`);
    return value;
  };
  return {
    opType,
    domain: domain === undefined || domain === "ai.onnx" ? "" : domain,
    name: name || `${output[0]}/${opType}`,
    inputs: [...input.map(known), ...integers.map((numbers) => graph.integers(numbers))],
    outputs: output.map((of) => {
      if (of === "") return null;
      const { shape, type } = tensors.get(of) as Seen;
      return graph.value(of, shape, type);
    }),
    attributes: attribute,
  };
}
