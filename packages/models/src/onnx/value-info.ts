import type { OnnxGraph, OnnxValueInfo } from "./onnx-model.ts";
import { decodeMessage, encodeMessage, type Message, type MessageSchema } from "./wire.ts";

/** A dimension: its size, or the name it has where the size is known only when the model runs, or null. */
export type OnnxDimension = number | string | null;

export interface OnnxTensorType {
  /** See `onnxTypes`. */
  readonly dataType: number;
  /** Null: nothing is said, not even how many there are. */
  readonly dims: readonly OnnxDimension[] | null;
}

interface Dimension extends Message {
  value?: number;
  label?: string;
}
interface TypeMessage extends Message {
  tensor?: Message & { dataType?: number; shape?: Message & { dims: Dimension[] } };
}

const dimensionSchema: MessageSchema = {
  1: { name: "value", kind: "int" },
  2: { name: "label", kind: "string" },
};
const typeSchema: MessageSchema = {
  1: {
    name: "tensor",
    kind: {
      1: { name: "dataType", kind: "int" },
      2: { name: "shape", kind: { 1: { name: "dims", kind: dimensionSchema, many: true } } },
    },
  },
};

/** The type in `ValueInfoProto.type`; null where it holds no tensor, or is not given. */
export function tensorTypeOf(info: OnnxValueInfo | undefined): OnnxTensorType | null {
  if (info?.type === undefined) return null;
  const { tensor } = decodeMessage(info.type, typeSchema) as TypeMessage;
  if (tensor?.dataType === undefined) return null;
  const dims = tensor.shape?.dims.map(({ value, label }): OnnxDimension => value ?? (label || null)) ?? null;
  return { dataType: tensor.dataType, dims };
}

export function valueInfoOf(name: string, { dataType, dims }: OnnxTensorType): OnnxValueInfo {
  const shape = dims?.map((dim) =>
    typeof dim === "number" ? { value: dim } : dim === null ? {} : { label: dim },
  );
  const tensor = { dataType, ...(shape === undefined ? {} : { shape: { dims: shape } }) };
  return { name, type: encodeMessage({ tensor }, typeSchema) };
}

/** What the graph says of a tensor: as an output, an input, or in between. */
export function declaredTypeOf(graph: OnnxGraph, name: string): OnnxTensorType | null {
  const infos = [...graph.output, ...graph.input, ...(graph.valueInfo ?? [])];
  return tensorTypeOf(infos.find((info) => info.name === name && info.type !== undefined));
}
