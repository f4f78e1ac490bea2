import { strict as assert } from "node:assert";
import { Random } from "@medley/core";
import {
  encodeOnnx,
  floatsOf,
  nodeOf,
  type OnnxAttribute,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  tensorOf,
  valueInfoOf,
} from "@medley/models/onnx";
import { type Attributes, NodeAttributes, onnxAttributes } from "./attributes.ts";
import { openDimension, type Shape, sizeOf } from "./shape.ts";
import { type ElementType, elementTypes, Value } from "./value.ts";

/** An operation of a graph. Inputs that are left out are null. */
export interface GraphNode {
  readonly opType: string;
  readonly domain: string;
  readonly name: string;
  readonly inputs: readonly (Value | null)[];
  /** More may be added: a gradient may need an output that the forward pass did not. */
  readonly outputs: (Value | null)[];
  readonly onnxAttributes: readonly OnnxAttribute[];
  readonly attributes: NodeAttributes;
}

/** A tensor that training changes. */
export interface Parameter {
  readonly value: Value;
  /** Row-major, before training. */
  readonly initial: Float32Array;
  /** Whether weight decay applies: not to biases and norms (Loshchilov & Hutter 2019, as usually practised). */
  readonly decays: boolean;
}

/** A tensor that is carried from step to step without a gradient: running statistics. */
export interface CarriedState {
  readonly value: Value;
  readonly initial: Float32Array;
  /** What it is after the step; given once. */
  next: Value | null;
}

export const operatorSet = 18n;
const irVersion = 9;
const batchName = "batch";

/** Where a graph's parameters come from when it is built to be served: the values that training gave, by name. */
export type TrainedTensors = ReadonlyMap<string, Float32Array>;

export interface GraphOptions {
  /** Of initial values and dropout. Default 0. */
  readonly seed?: number;
  /** Builds what serves: parameters and carried states are constants with these values, and `trains` is false. */
  readonly trained?: TrainedTensors;
}

/**
 * A graph of ONNX operators as it is built, in the order it runs. One function builds a model twice: with parameters that
 * training changes, and from what it found, to be served; so both compute the same. Tensors are `Value`s; their methods add
 * nodes. Mistakes of the builder (shapes that don't fit) are assertions.
 */
export class Graph {
  readonly nodes: GraphNode[] = [];
  readonly inputs: Value[] = [];
  readonly parameters = new Map<string, Parameter>();
  readonly states = new Map<string, CarriedState>();
  /** Whether dropout and batch statistics are those of training. */
  readonly trains: boolean;
  readonly random: Random;
  readonly #trained: TrainedTensors | undefined;
  readonly #constants = new Map<Value, OnnxTensor>();
  /** Small constants by content: the same number is written once. */
  readonly #shared = new Map<string, Value>();
  readonly #scope: string[] = [];
  #count = 0;

  constructor({ seed = 0, trained }: GraphOptions = {}) {
    this.random = new Random(seed);
    this.#trained = trained;
    this.trains = trained === undefined;
  }

  /** Names within `build` begin with `scope/`, so that a parameter and a message say where they belong. */
  scoped<Built>(scope: string, build: () => Built): Built {
    this.#scope.push(scope);
    try {
      return build();
    } finally {
      this.#scope.pop();
    }
  }

  input(name: string, shape: Shape, type: ElementType = "float32"): Value {
    assert(!this.inputs.some((value) => value.name === name), `there are two inputs ${name}`);
    const value = new Value(this, name, shape, type);
    this.inputs.push(value);
    return value;
  }

  /** A tensor of `shape` that training changes; `initial` gives its values, or draws them. */
  parameter(
    name: string,
    shape: Shape,
    initial: Float32Array | ((random: Random) => number),
    { decays = shape.length > 1 }: { decays?: boolean } = {},
  ): Value {
    const full = this.nameOf(name);
    if (this.#trained !== undefined) return this.#trainedConstant(full, shape);
    const drawn =
      initial instanceof Float32Array
        ? initial
        : Float32Array.from({ length: sizeOf(shape) }, () => initial(this.random));
    assert.equal(drawn.length, sizeOf(shape), `${full} is [${shape}]`);
    assert(!this.parameters.has(full), `there are two parameters ${full}`);
    const value = new Value(this, full, shape, "float32");
    this.parameters.set(full, { value, initial: drawn, decays });
    return value;
  }

  /** A tensor that is carried from step to step; `carry` says what it is after a step. */
  state(name: string, shape: Shape, initial: Float32Array): Value {
    const full = this.nameOf(name);
    if (this.#trained !== undefined) return this.#trainedConstant(full, shape);
    assert.equal(initial.length, sizeOf(shape), `${full} is [${shape}]`);
    const value = new Value(this, full, shape, "float32");
    this.states.set(full, { value, initial, next: null });
    return value;
  }

  carry(state: Value, next: Value): void {
    const carried = this.states.get(state.name);
    assert(carried?.next === null, `${state.name} is no state, or is carried twice`);
    carried.next = next;
  }

  constant(data: Float32Array | BigInt64Array, shape: Shape): Value {
    const type = data instanceof Float32Array ? "float32" : "int64";
    const key = data.length <= 16 ? `${type}[${shape}] ${data.join(" ")}` : null;
    const known = key === null ? undefined : this.#shared.get(key);
    if (known !== undefined) return known;
    const value = this.addConstant(tensorOf(this.#fresh("constant"), shape, data), type);
    if (key !== null) this.#shared.set(key, value);
    return value;
  }

  scalar(number: number): Value {
    return this.constant(Float32Array.of(number), []);
  }

  /** int64 [n]: axes, shapes, positions. */
  integers(numbers: readonly number[]): Value {
    return this.constant(BigInt64Array.from(numbers, BigInt), [numbers.length]);
  }

  /** A tensor as it is in a file. */
  addConstant(tensor: OnnxTensor, type: ElementType): Value {
    const value = new Value(this, tensor.name as string, tensor.dims, type);
    this.#constants.set(value, tensor);
    return value;
  }

  isConstant(value: Value): boolean {
    return this.#constants.has(value);
  }

  /** The values of an int64 constant. */
  integersOf(value: Value): readonly number[] {
    const tensor = this.#constants.get(value);
    assert(tensor?.dataType === elementTypes.int64, `${value.name} is no constant of whole numbers`);
    if (tensor.rawData === undefined) return (tensor.int64Data ?? []).map(Number);
    return [...new BigInt64Array(Uint8Array.from(tensor.rawData).buffer)].map(Number);
  }

  /** The value of a float32 constant of one element; null: it is something else. */
  numberOf(value: Value): number | null {
    const tensor = this.#constants.get(value);
    if (tensor?.dataType !== elementTypes.float32 || sizeOf(tensor.dims) !== 1) return null;
    return floatsOf(tensor)[0] as number;
  }

  /** Makes a float32 constant of a graph that was read a parameter: from now on it is trained. */
  train(value: Value, { decays = value.rank > 1 }: { decays?: boolean } = {}): void {
    const tensor = this.#constants.get(value);
    assert(tensor, `${value.name} is no constant`);
    this.#constants.delete(value);
    this.parameters.set(value.name, { value, initial: floatsOf(tensor), decays });
  }

  /** Adds a node; one value per entry of `outputs`. */
  node(
    opType: string,
    inputs: readonly (Value | null)[],
    outputs: readonly { readonly shape: Shape; readonly type?: ElementType }[],
    attributes: Attributes = {},
  ): Value[] {
    const name = this.#fresh(opType);
    const values = outputs.map(
      ({ shape, type = "float32" }, at) => new Value(this, at === 0 ? name : `${name}:${at}`, shape, type),
    );
    this.addNode({
      opType,
      domain: "",
      name,
      inputs,
      outputs: values,
      attributes: onnxAttributes(attributes),
    });
    return values;
  }

  /** A tensor of a node that is yet to be added: graphs that are read bring their own names. */
  value(name: string, shape: Shape, type: ElementType): Value {
    return new Value(this, name, shape, type);
  }

  /** A node of one output. */
  one(
    opType: string,
    inputs: readonly (Value | null)[],
    output: { readonly shape: Shape; readonly type?: ElementType },
    attributes: Attributes = {},
  ): Value {
    return this.node(opType, inputs, [output], attributes)[0] as Value;
  }

  addNode({
    attributes,
    ...node
  }: Omit<GraphNode, "onnxAttributes" | "attributes"> & { attributes: readonly OnnxAttribute[] }): void {
    this.nodes.push({ ...node, onnxAttributes: attributes, attributes: new NodeAttributes(attributes) });
  }

  /** The output `index` of a node, added where the node does not give it yet. */
  extraOutput(node: GraphNode, index: number, shape: Shape, type: ElementType = "float32"): Value {
    while (node.outputs.length <= index) node.outputs.push(null);
    const known = node.outputs[index];
    if (known) return known;
    const value = new Value(this, `${node.name}:${index}`, shape, type);
    node.outputs[index] = value;
    return value;
  }

  nameOf(name: string): string {
    return [...this.#scope, name].join("/");
  }

  /**
   * The ONNX file that computes `outputs` by their names in it, with what they don't need left out. `inputs`: what it takes
   * beside the graph's inputs (parameters, states); default none.
   */
  model(outputs: ReadonlyMap<string, Value>, inputs: readonly Value[] = []): Uint8Array {
    const needed = this.#needed([...outputs.values()]);
    const nodes = this.nodes.filter((node) => node.outputs.some((value) => value && needed.has(value)));
    const { names, copies } = outputNames(outputs, nodes);
    const taken = [...this.inputs, ...inputs].filter((value) => needed.has(value));
    const model: OnnxModel = {
      irVersion,
      producerName: "medley",
      opsetImport: [{ domain: "", version: operatorSet }],
      graph: {
        name: "medley",
        node: [...nodes.map((node) => onnxNode(node, names)), ...copies],
        initializer: [...this.#constants].filter(([value]) => needed.has(value)).map(([, tensor]) => tensor),
        input: taken.map((value) => valueInfo(value.name, value)),
        output: [...outputs].map(([name, value]) => valueInfo(name, value)),
      },
    };
    return encodeOnnx(model);
  }

  #needed(outputs: readonly Value[]): Set<Value> {
    const needed = new Set(outputs);
    for (const node of this.nodes.toReversed()) {
      if (!node.outputs.some((value) => value && needed.has(value))) continue;
      for (const value of node.inputs) if (value) needed.add(value);
    }
    return needed;
  }

  #trainedConstant(name: string, shape: Shape): Value {
    const data = this.#trained?.get(name);
    assert(data, `training gave no ${name}`);
    return this.addConstant(tensorOf(name, shape, data), "float32");
  }

  #fresh(opType: string): string {
    this.#count += 1;
    return this.nameOf(`${opType}.${this.#count}`);
  }
}

/**
 * What a node gives is named in the file as the output that it is; copies are only for what is given twice, or was taken. ONNX
 * Runtime does not remove a copy that gives an output.
 */
function outputNames(
  outputs: ReadonlyMap<string, Value>,
  nodes: readonly GraphNode[],
): { names: ReadonlyMap<Value, string>; copies: OnnxNode[] } {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const names = new Map<Value, string>();
  const copies: OnnxNode[] = [];
  for (const [name, value] of outputs) {
    if (made.has(value) && !names.has(value)) names.set(value, name);
    else if (name !== value.name) copies.push(nodeOf("Identity", [names.get(value) ?? value.name], name));
  }
  return { names, copies };
}

function onnxNode(
  { opType, domain, name, inputs, outputs, onnxAttributes: attribute }: GraphNode,
  names: ReadonlyMap<Value, string>,
): OnnxNode {
  const named = (value: Value | null) => (value === null ? "" : (names.get(value) ?? value.name));
  return {
    name,
    opType,
    ...(domain === "" ? {} : { domain }),
    input: inputs.map(named),
    output: outputs.map(named),
    attribute: [...attribute],
  };
}

function valueInfo(name: string, { shape, type }: Value) {
  const dims = shape.map((dimension) => (dimension === openDimension ? batchName : dimension));
  return valueInfoOf(name, { dataType: elementTypes[type], dims });
}
