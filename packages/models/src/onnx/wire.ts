import { strict as assert } from "node:assert";

/** How a message's field is written: protobuf's wire types behind the names that ONNX gives them. */
export type FieldKind = "string" | "bytes" | "int" | "bigint" | "float" | "double" | MessageSchema;

/** Field number to name and kind. `many` fields decode to arrays, the others to one value. */
export interface MessageSchema {
  readonly [fieldNumber: number]: {
    readonly name: string;
    readonly kind: FieldKind;
    readonly many?: boolean;
  };
}

/** A decoded message. Fields the schema doesn't name are kept as they were read, so that writing loses nothing. */
export interface Message {
  [name: string]: unknown;
  unknownFields?: Uint8Array[];
}

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

function wireTypeOf(kind: FieldKind): number {
  if (kind === "int" || kind === "bigint") return wireTypes.varint;
  if (kind === "double") return wireTypes.fixed64;
  return kind === "float" ? wireTypes.fixed32 : wireTypes.bytes;
}

/** Protobuf's own limit; what is above is no tag. */
const tagMax = 2n ** 32n - 1n;

/** Reads protobuf. Byte fields are views of `bytes`, not copies. Throws `RangeError` where the bytes break off. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  get done(): boolean {
    return this.offset >= this.#bytes.length;
  }
  varint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#view.getUint8(this.offset++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
    }
    throw new RangeError(`a varint is longer than 10 bytes at offset ${this.offset}`);
  }
  bytes(length: number): Uint8Array {
    const end = this.offset + length;
    if (length < 0 || end > this.#bytes.length)
      throw new RangeError(`a field runs past the end at ${this.offset}`);
    const value = this.#bytes.subarray(this.offset, end);
    this.offset = end;
    return value;
  }
  /** A field's number and how its value is written. */
  tag(): { fieldNumber: number; wireType: number } {
    const tag = BigInt.asUintN(64, this.varint());
    if (tag > tagMax) throw new RangeError(`no field has the tag ${tag} at offset ${this.offset}`);
    return { fieldNumber: Number(tag >> 3n), wireType: Number(tag & 7n) };
  }
  scalar(wireType: number): bigint | number | Uint8Array {
    if (wireType === wireTypes.varint) return this.varint();
    if (wireType === wireTypes.bytes) return this.bytes(Number(this.varint()));
    const at = this.offset;
    if (wireType === wireTypes.fixed32) {
      this.offset += 4;
      return this.#view.getFloat32(at, true);
    }
    if (wireType !== wireTypes.fixed64) throw new RangeError(`unknown wire type ${wireType} at offset ${at}`);
    this.offset += 8;
    return this.#view.getFloat64(at, true);
  }
}

const textDecoder = new TextDecoder();
const textEncoder = new TextEncoder();

function readValue(raw: bigint | number | Uint8Array, kind: FieldKind): unknown {
  if (typeof kind === "object") return decodeMessage(raw as Uint8Array, kind);
  if (kind === "string") return textDecoder.decode(raw as Uint8Array);
  return kind === "int" ? Number(raw) : raw;
}

/** Throws `RangeError` for bytes that break off, or whose fields are not written as the schema says. */
export function decodeMessage(bytes: Uint8Array, schema: MessageSchema): Message {
  const message: Message = {};
  for (const { name, many } of Object.values(schema)) if (many) message[name] = [];
  const reader = new Reader(bytes);
  while (!reader.done) {
    const start = reader.offset;
    const { fieldNumber, wireType } = reader.tag();
    const field = schema[fieldNumber];
    const raw = reader.scalar(wireType);
    if (field === undefined) {
      message.unknownFields ??= [];
      message.unknownFields.push(bytes.subarray(start, reader.offset));
      continue;
    }
    const expected = wireTypeOf(field.kind);
    const isPacked = field.many === true && wireType === wireTypes.bytes && expected !== wireTypes.bytes;
    if (wireType !== expected && !isPacked)
      throw new RangeError(`${field.name} is written as wire type ${wireType} at offset ${start}`);
    if (!field.many) {
      message[field.name] = readValue(raw, field.kind);
      continue;
    }
    const values = message[field.name] as unknown[];
    if (!isPacked) values.push(readValue(raw, field.kind));
    else for (const value of unpack(raw as Uint8Array, expected)) values.push(readValue(value, field.kind));
  }
  return message;
}

/** Repeated numbers may be written as one byte field. */
function unpack(bytes: Uint8Array, wireType: number): (bigint | number | Uint8Array)[] {
  const reader = new Reader(bytes);
  const values: (bigint | number | Uint8Array)[] = [];
  while (!reader.done) values.push(reader.scalar(wireType));
  return values;
}

function varintBytes(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

function scalarBytes(value: unknown, kind: FieldKind): Uint8Array {
  if (kind === "int" || kind === "bigint") return varintBytes(BigInt(value as number | bigint));
  if (kind === "float") return new Uint8Array(Float32Array.of(value as number).buffer);
  if (kind === "double") return new Uint8Array(Float64Array.of(value as number).buffer);
  if (kind === "bytes") return value as Uint8Array;
  return kind === "string" ? textEncoder.encode(value as string) : encodeMessage(value as Message, kind);
}

export function encodeMessage(message: Message, schema: MessageSchema): Uint8Array {
  const parts: Uint8Array[] = [...(message.unknownFields ?? [])];
  const write = (fieldNumber: number, wireType: number, bytes: Uint8Array): void => {
    parts.push(varintBytes(BigInt((fieldNumber << 3) | wireType)));
    if (wireType === wireTypes.bytes) parts.push(varintBytes(BigInt(bytes.length)));
    parts.push(bytes);
  };
  for (const [key, { name, kind, many }] of Object.entries(schema)) {
    const value = message[name];
    if (value === undefined) continue;
    const wireType = wireTypeOf(kind);
    const values = many ? (value as unknown[]) : [value];
    assert(Array.isArray(values), `${name} is repeated`);
    const encoded = values.map((each) => scalarBytes(each, kind));
    if (many && wireType !== wireTypes.bytes && encoded.length > 0) {
      write(Number(key), wireTypes.bytes, Buffer.concat(encoded)); // Packed: every protobuf reader takes it.
    } else {
      for (const bytes of encoded) write(Number(key), wireType, bytes);
    }
  }
  return Buffer.concat(parts);
}
