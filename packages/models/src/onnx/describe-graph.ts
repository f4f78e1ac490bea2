import { Reader } from "./wire.ts";

/** What a model asks of whoever runs it, read from its bytes without keeping any of them. Plain data. */
export interface GraphDescription {
  /** Version of ONNX' own operators that the model was written for; 0 where it names none. */
  readonly opset: number;
  /** Domains of the operators it uses, sorted; "" is ONNX' own. Functions that the model itself defines are none. */
  readonly operatorDomains: readonly string[];
  /** `Gemm`, `com.microsoft.Attention`: every operator it uses, sorted. */
  readonly operators: readonly string[];
  /**
   * Activations may be quantised with a scale found at run time, over a whole batch: then an input's vector depends on
   * its neighbours, and only rows that run alone are the same again. Integer kernels with fixed scales count too.
   */
  readonly dynamicQuantised: boolean;
  /** Weights are stored in 8 bits or fewer. */
  readonly storesIntegers: boolean;
  /** Files beside the model that hold its weights, as the model writes them: not checked, relative to its folder. */
  readonly externalData: readonly string[];
  /** A tensor in a subgraph, a function or an attribute lies outside: such data can't be given to ONNX Runtime. */
  readonly externalDataInside: boolean;
}

// Far above any real model: they keep a hostile file from costing more than its bytes.
const depthMax = 8;
const nodesMax = 200_000;
const tensorsMax = 200_000;
const nameBytesMax = 4_096;

/** Smaller integer tensors are shapes and indices. */
const weightBytesMin = 10_000;
/** TensorProto.DataType: uint8, int8, uint4, int4. */
const storedIntegers: readonly number[] = [2, 3, 21, 22];

const integerKernels = /^(DynamicQuantize|MatMulInteger|ConvInteger|QLinear|QAttention|QGemm|QEmbed)/;

/** Numbers of the fields in onnx.proto3 that hold graphs, nodes and tensors. */
const fields = {
  model: { graph: 7, opsetImport: 8, trainingInfo: 20, functions: 25 },
  training: { initialization: 1, algorithm: 2 },
  graph: { node: 1, initializer: 5, sparseInitializer: 15 },
  node: { opType: 4, attribute: 5, domain: 7 },
  attribute: { t: 5, g: 6, tensors: 10, graphs: 11, sparseTensor: 22, sparseTensors: 23 },
  tensor: { dataType: 2, externalData: 13 },
  sparseTensor: { values: 1, indices: 2 },
  functionProto: { name: 1, node: 7, domain: 10, attributeProto: 11 },
  entry: { key: 1, value: 2 },
  opset: { domain: 1, version: 2 },
} as const;

/**
 * Reads a model's protobuf as ONNX Runtime does, subgraphs and functions included. Time and memory are bound by the bytes.
 * Throws `RangeError` for bytes that are no ONNX model, or one that is deeper or has more nodes than any real one.
 */
export function describeGraph(bytes: Uint8Array): GraphDescription {
  const scan = new Scan();
  scan.model(bytes);
  return scan.description();
}

class Scan {
  readonly #operators = new Set<string>();
  readonly #functions = new Set<string>();
  readonly #external = new Set<string>();
  readonly #domains = new Map<string, string>();
  #externalInside = false;
  #storesIntegers = false;
  #opset = 0;
  #graphs = 0;
  #nodes = 0;
  #tensors = 0;

  description(): GraphDescription {
    if (this.#graphs === 0) throw new RangeError("the bytes hold no ONNX graph");
    const operators = [...this.#operators].filter((name) => !this.#functions.has(name)).sort();
    const domains = new Set(operators.map((name) => this.#domains.get(name) as string));
    return {
      opset: this.#opset,
      operatorDomains: [...domains].sort(),
      operators,
      dynamicQuantised: operators.some((name) => integerKernels.test(name.slice(name.lastIndexOf(".") + 1))),
      storesIntegers: this.#storesIntegers,
      externalData: [...this.#external].sort(),
      externalDataInside: this.#externalInside,
    };
  }

  model(bytes: Uint8Array): void {
    const { graph, opsetImport, trainingInfo, functions } = fields.model;
    for (const [field, value] of messagesIn(bytes)) {
      if (field === graph) this.#mainGraph(value);
      else if (field === opsetImport) this.#opsetImport(value);
      else if (field === functions) this.#function(value);
      else if (field === trainingInfo) {
        for (const [, inner] of messagesIn(value)) this.#graph(inner, 1);
      }
    }
  }

  #mainGraph(bytes: Uint8Array): void {
    this.#graphs++;
    this.#graph(bytes, 0);
  }

  #opsetImport(bytes: Uint8Array): void {
    let [domain, version] = ["", 0];
    for (const [field, value] of valuesIn(bytes)) {
      if (field === fields.opset.domain) domain = nameOf(value);
      else if (field === fields.opset.version && typeof value === "bigint") version = Number(value);
    }
    if (domain === "" || domain === "ai.onnx") this.#opset = version;
  }

  #graph(bytes: Uint8Array, depth: number): void {
    if (depth > depthMax) throw new RangeError(`its graphs are more than ${depthMax} deep`);
    const { node, initializer, sparseInitializer } = fields.graph;
    for (const [field, value] of messagesIn(bytes)) {
      if (field === node) this.#node(value, depth);
      else if (field === initializer) this.#tensor(value, depth > 0);
      else if (field === sparseInitializer) this.#sparseTensor(value);
    }
  }

  #function(bytes: Uint8Array): void {
    const { name, node, domain, attributeProto } = fields.functionProto;
    let [ownName, ownDomain] = ["", ""];
    for (const [field, value] of messagesIn(bytes)) {
      if (field === name) ownName = nameOf(value);
      else if (field === domain) ownDomain = nameOf(value);
      else if (field === node) this.#node(value, 1);
      else if (field === attributeProto) this.#attribute(value, 1);
    }
    this.#functions.add(operatorName(ownDomain, ownName));
  }

  #node(bytes: Uint8Array, depth: number): void {
    this.#nodes++;
    if (this.#nodes > nodesMax) throw new RangeError(`it has more than ${nodesMax} nodes`);
    let [opType, domain] = ["", ""];
    for (const [field, value] of messagesIn(bytes)) {
      if (field === fields.node.opType) opType = nameOf(value);
      else if (field === fields.node.domain) domain = nameOf(value);
      else if (field === fields.node.attribute) this.#attribute(value, depth);
    }
    const name = operatorName(domain, opType);
    this.#operators.add(name);
    this.#domains.set(name, domain === "ai.onnx" ? "" : domain);
  }

  #attribute(bytes: Uint8Array, depth: number): void {
    const { t, g, tensors, graphs, sparseTensor, sparseTensors } = fields.attribute;
    for (const [field, value] of messagesIn(bytes)) {
      if (field === t || field === tensors) this.#tensor(value, true);
      else if (field === g || field === graphs) this.#graph(value, depth + 1);
      else if (field === sparseTensor || field === sparseTensors) this.#sparseTensor(value);
    }
  }

  #sparseTensor(bytes: Uint8Array): void {
    const { values, indices } = fields.sparseTensor;
    for (const [field, value] of messagesIn(bytes)) {
      if (field === values || field === indices) this.#tensor(value, true);
    }
  }

  #tensor(bytes: Uint8Array, inside: boolean): void {
    this.#tensors++;
    if (this.#tensors > tensorsMax) throw new RangeError(`it has more than ${tensorsMax} tensors`);
    let [dataType, isExternal] = [0, false];
    for (const [field, value] of valuesIn(bytes)) {
      if (field === fields.tensor.dataType && typeof value === "bigint") dataType = Number(value);
      else if (field === fields.tensor.externalData && value instanceof Uint8Array) {
        const location = locationOf(value);
        if (location !== null) this.#external.add(location);
        isExternal = true;
      }
    }
    if (isExternal && inside) this.#externalInside = true;
    const isLarge = isExternal || bytes.length >= weightBytesMin;
    if (isLarge && storedIntegers.includes(dataType)) this.#storesIntegers = true;
  }
}

function operatorName(domain: string, opType: string): string {
  return domain === "" || domain === "ai.onnx" ? opType : `${domain}.${opType}`;
}

function locationOf(entry: Uint8Array): string | null {
  let [key, text] = ["", ""];
  for (const [field, value] of messagesIn(entry)) {
    if (field === fields.entry.key) key = nameOf(value);
    else if (field === fields.entry.value) text = nameOf(value);
  }
  return key === "location" ? text : null;
}

/** Field numbers and values in their order; nothing is kept. */
function* valuesIn(bytes: Uint8Array): Generator<[number, bigint | number | Uint8Array]> {
  const reader = new Reader(bytes);
  while (!reader.done) {
    const { fieldNumber, wireType } = reader.tag();
    yield [fieldNumber, reader.scalar(wireType)];
  }
}

function* messagesIn(bytes: Uint8Array): Generator<[number, Uint8Array]> {
  for (const [field, value] of valuesIn(bytes)) if (value instanceof Uint8Array) yield [field, value];
}

const textDecoder = new TextDecoder();

function nameOf(value: bigint | number | Uint8Array): string {
  if (!(value instanceof Uint8Array)) return "";
  if (value.length > nameBytesMax) throw new RangeError(`a name in it is longer than ${nameBytesMax} bytes`);
  return textDecoder.decode(value);
}
