import { isObject } from "@medley/core";
/** A schema of Kafka Connect as its JsonConverter writes it beside a value (`schemas.enable=true`). */
export interface ConnectSchema {
  readonly type: string;
  /** The value's meaning beyond its type: `io.debezium.time.Date`. */
  readonly name?: string;
  readonly parameters?: Readonly<Record<string, string>>;
  /** Of a struct. */
  readonly fields?: readonly (ConnectSchema & { readonly field: string })[];
  /** Of an array. */
  readonly items?: ConnectSchema;
}

export interface WithSchema {
  readonly value: unknown;
  /** Null where the value came without. */
  readonly schema: ConnectSchema | null;
}

/** Takes `{"schema": …, "payload": …}` apart; any other value has no schema. */
export function splitSchema(value: unknown): WithSchema {
  if (!isObject(value) || !("schema" in value) || !("payload" in value)) return { value, schema: null };
  if (Object.keys(value).length !== 2) return { value, schema: null };
  const { schema, payload } = value;
  if (schema === null) return { value: payload, schema: null };
  return isSchema(schema) ? { value: payload, schema } : { value, schema: null };
}

function isSchema(value: unknown): value is ConnectSchema {
  return isObject(value) && typeof value.type === "string";
}

/** The schema of a struct's field or an array's entry. */
export function schemaWithin(schema: ConnectSchema | null, key: string): ConnectSchema | null {
  if (schema?.type === "array") return schema.items ?? null;
  if (!Array.isArray(schema?.fields)) return null;
  return schema.fields.find((one) => isObject(one) && one.field === key) ?? null;
}
