import { MedleyError } from "@medley/core";
import {
  declaredTypeOf,
  decodeOnnx,
  encodeOnnx,
  type OnnxGraph,
  type OnnxNode,
  onnxTypes,
  valueInfoOf,
} from "@medley/models/onnx";

/** Where a backbone is cut into a frozen part and the blocks that are trained. */
export interface BlockCut {
  /** The tensor before the first trained block: all that the trained part needs of the frozen one. */
  readonly tensor: string;
  /** The model's output that the blocks lead to. */
  readonly output: string;
  /** Trained ones, after the cut. */
  readonly blocks: number;
  readonly blockCount: number;
  /** The model's inputs that the trained part reads beside `tensor`: an attention mask. */
  readonly inputs: readonly string[];
}

/** How exporters name what belongs to block N: `encoder.layer.4.`, `/layers.4/`, `h.4.`, `blocks.4.`. */
const blockPattern = /(?:^|[./_])(?:layers?|h|blocks?)[._](\d+)(?=[./_]|$)/;

/**
 * Finds the tensor between block n - `blocks` - 1 and block n - `blocks` of a stack of n. A node belongs to the block in its name
 * or else in the names of what it reads; the cut is the last tensor without which no earlier block is reached from the output,
 * but all nodes of the later ones are. Throws `training_unsupported` where there is no such tensor.
 */
export function findBlockCut(
  bytes: Uint8Array,
  { output, blocks, path }: { output: string; blocks: number; path: string },
): BlockCut {
  const { graph } = decodeOnnx(bytes);
  const blockOf = new Map(graph.node.map((node) => [node, numberOf(node)]));
  const numbers = [...new Set(blockOf.values())].filter((number) => number !== null).sort((a, b) => a - b);
  const blockCount = numbers.length;
  if (blockCount === 0) {
    throw unsupported(
      path,
      "none of its nodes says to which block it belongs (layer.0, layers.0, h.0, block.0)",
    );
  }
  if (blocks > blockCount) throw unsupported(path, `it has ${blockCount} blocks, not ${blocks}`);
  const first = numbers[blockCount - blocks] as number;
  const reach = new Reach(graph, output);
  const later = (nodes: ReadonlySet<OnnxNode>) =>
    [...nodes].filter((node) => (blockOf.get(node) ?? -1) >= first).length;
  const laterCount = later(reach.without(null));
  let best: { tensor: string; nodes: ReadonlySet<OnnxNode> } | null = null;
  for (const tensor of reach.tensors()) {
    const nodes = reach.without(tensor);
    const reachesEarlier = [...nodes].some((node) => (blockOf.get(node) ?? first) < first);
    if (reachesEarlier || later(nodes) < laterCount) continue;
    if (best === null || nodes.size < best.nodes.size) best = { tensor, nodes };
  }
  if (best !== null) {
    const { tensor, nodes } = best;
    return { tensor, output, blocks, blockCount, inputs: reach.inputsOf(nodes) };
  }
  throw unsupported(path, `no one tensor leads from block ${first - 1} to block ${first}`);
}

/** The part of a model from the cut to its output, of open dimensions like the model. */
export function partAfterCut(
  bytes: Uint8Array,
  { tensor, output, inputs }: BlockCut,
  hiddenSize: number,
): Uint8Array {
  const model = decodeOnnx(bytes);
  const { graph } = model;
  const nodes = new Reach(graph, output).without(tensor);
  const needed = new Set([...nodes].flatMap(({ input }) => input));
  const type = declaredTypeOf(graph, output) ?? { dataType: onnxTypes.float32, dims: null };
  const dims = ["batch", "tokens", hiddenSize];
  graph.node = graph.node.filter((node) => nodes.has(node));
  graph.initializer = graph.initializer.filter(({ name }) => needed.has(name as string));
  graph.input = [
    valueInfoOf(tensor, { dataType: onnxTypes.float32, dims }),
    ...graph.input.filter(({ name }) => inputs.includes(name)),
  ];
  graph.output = [valueInfoOf(output, type)];
  graph.valueInfo = [];
  return encodeOnnx(model);
}

/** What an output needs, with or without a tensor. */
class Reach {
  readonly #graph: OnnxGraph;
  readonly #output: string;
  readonly #producers: ReadonlyMap<string, OnnxNode>;
  readonly #stored: ReadonlySet<string>;

  constructor(graph: OnnxGraph, output: string) {
    this.#graph = graph;
    this.#output = output;
    this.#producers = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
    this.#stored = new Set(graph.initializer.map(({ name }) => name as string));
  }

  /** The nodes that the output needs where `tensor` is given. */
  without(tensor: string | null): Set<OnnxNode> {
    const nodes = new Set<OnnxNode>();
    const waiting = [this.#output];
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const node = name === tensor ? undefined : this.#producers.get(name);
      if (node === undefined || nodes.has(node)) continue;
      nodes.add(node);
      waiting.push(...node.input);
    }
    return nodes;
  }

  /** What the needed nodes make, in the order of the file. */
  tensors(): string[] {
    const nodes = this.without(null);
    return this.#graph.node.filter((node) => nodes.has(node)).flatMap(({ output }) => output);
  }

  /** Inputs of the model that the nodes read. */
  inputsOf(nodes: ReadonlySet<OnnxNode>): string[] {
    const read = new Set([...nodes].flatMap(({ input }) => input));
    return this.#graph.input
      .map(({ name }) => name)
      .filter((name) => read.has(name) && !this.#stored.has(name));
  }
}

function numberOf(node: OnnxNode): number | null {
  for (const name of [node.name ?? "", ...node.input]) {
    const match = blockPattern.exec(name);
    if (match !== null) return Number(match[1]);
  }
  return null;
}

function unsupported(path: string, what: string): MedleyError {
  return new MedleyError("training_unsupported", `${path} can't be cut before its last blocks: ${what}`, {
    mend: "train a head on the frozen model (blocks: 0), or use a transformer exported with the names of its layers",
  });
}
