import { MedleyError } from "@medley/core";
import type { OnnxNode } from "@medley/models/onnx";
import { NodeAttributes, onnxAttributes } from "./attributes.ts";
import type { Shape } from "./shape.ts";

/** A node as operator set 18 writes it. */
export interface UpgradedNode extends OnnxNode {
  /** Whole numbers that became inputs, after those of `input`. */
  readonly integers: readonly (readonly number[])[];
}

/** Since when Reduce operators take their axes as an input (ReduceSum, the first of them, since 13). */
const axesAreInputSince = 18n;
const reductions = /^Reduce(?!Sum$)/;

/**
 * Writes a node of operator set 7 to 18 as set 18 does, of the operators whose form has changed since: parameters that moved from
 * attributes to inputs. What only gives a tensor another shape becomes a Reshape to `shape`, that of the node's first output.
 *
 * https://onnx.ai/onnx/operators/ has the history of each. Throws `training_unsupported` where a meaning has changed.
 */
export function upgradeNode(node: OnnxNode, version: bigint, shape: Shape): UpgradedNode {
  const attributes = new NodeAttributes(node.attribute);
  const same: UpgradedNode = { ...node, integers: [] };
  if (node.domain !== undefined && node.domain !== "" && node.domain !== "ai.onnx") return same;
  switch (node.opType) {
    case "Squeeze":
    case "Unsqueeze":
    case "Flatten":
      return { ...reshaped(node), integers: [shape] };
    case "Softmax":
    case "LogSoftmax":
      return version < 13n ? softmax(same, attributes, shape.length) : same;
    case "ReduceSum":
      return version < 13n ? withAxes(same, attributes) : same;
    case "Dropout":
      // What is read is a model that serves: nothing is dropped.
      return { ...reshaped(node), opType: "Identity", integers: [] };
    case "Split":
      return version < 18n && node.input[1] === undefined ? split(same, attributes) : same;
    case "Pad":
    case "Clip":
    case "Slice":
      return version < 11n ? unsupported(node, version) : same;
    default:
      return reductions.test(node.opType) && version < axesAreInputSince ? withAxes(same, attributes) : same;
  }
}

function reshaped(node: OnnxNode): OnnxNode {
  return {
    ...node,
    opType: "Reshape",
    input: node.input.slice(0, 1),
    output: node.output.slice(0, 1),
    attribute: [],
  };
}

function withAxes(node: UpgradedNode, attributes: NodeAttributes): UpgradedNode {
  const axes = attributes.ints("axes");
  if (axes === undefined) return node;
  return { ...node, attribute: node.attribute.filter(({ name }) => name !== "axes"), integers: [axes] };
}

function split(node: UpgradedNode, attributes: NodeAttributes): UpgradedNode {
  const sizes = attributes.ints("split");
  const rest = node.attribute.filter(({ name }) => name !== "split");
  if (sizes !== undefined) return { ...node, attribute: rest, integers: [sizes] };
  return { ...node, attribute: [...rest, ...onnxAttributes({ num_outputs: node.output.length })] };
}

/** Before 13 all axes from `axis` on counted as one, and the default was 1. */
function softmax(node: UpgradedNode, attributes: NodeAttributes, rank: number): UpgradedNode {
  const axis = attributes.int("axis", 1);
  if (axis !== -1 && axis !== rank - 1) return unsupported(node, 12n);
  return { ...node, attribute: onnxAttributes({ axis: -1 }) };
}

function unsupported({ name, opType }: OnnxNode, version: bigint): never {
  throw new MedleyError(
    "training_unsupported",
    `node "${name}" is a ${opType} of operator set ${version}, whose meaning has changed since`,
    { mend: "export the model with operator set 13 or newer" },
  );
}
