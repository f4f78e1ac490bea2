/** Messages as their producers write them: Debezium 3 for Postgres (JsonConverter), CloudEvents 1.0. */

import {
  type Collection,
  checkConfig,
  parseRecord,
  type TopicMessage,
  type TopicSource,
  version,
} from "@medley/core";
import { mapMessage } from "./map-message.ts";

export const nowMs = Date.UTC(2026, 4, 1, 12);

const fields = {
  name: "text",
  price: "number",
  kind: "category",
  tags: "categories",
  made: "timestamp",
  place: "geo",
  face: "vector(3)",
  photo: "image",
} as const;

/** A collection that the source feeds; `version`: its own key for versions. */
export function collectionWith(source: Partial<TopicSource>, version?: string): Collection {
  const whole = { kind: "topic", topic: "shop.public.products", format: "json", ...source };
  const spaces = { price: { encoder: "number", field: "price", range: [0, 100] } };
  const definition = { fields, spaces, sources: [whole], ...(version === undefined ? {} : { version }) };
  const [collection] = checkConfig({ collections: { products: definition } });
  return collection as Collection;
}

export type MessageParts = Partial<Omit<TopicMessage, "key" | "value">> & {
  readonly key?: unknown;
  readonly value?: unknown;
};

/** Objects are written as JSON, strings as they are. */
export function message({ key = null, value = null, ...rest }: MessageParts): TopicMessage {
  return {
    topic: "shop.public.products",
    partition: 3,
    offset: 17n,
    headers: {},
    timestampMs: nowMs - 1_000,
    ...rest,
    key: bytesOf(key),
    value: bytesOf(value),
  };
}

function bytesOf(value: unknown): Uint8Array | null {
  if (value === null) return null;
  if (value instanceof Uint8Array) return value;
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value));
}

const sourceBlock = {
  version: "3.0.8.Final",
  connector: "postgresql",
  name: "shop",
  ts_ms: nowMs - 5_000,
  snapshot: "false",
  db: "shop",
  sequence: '["24023128","24023128"]',
  ts_us: (nowMs - 5_000) * 1_000,
  ts_ns: (nowMs - 5_000) * 1_000_000,
  schema: "public",
  table: "products",
  txId: 555,
  lsn: 24_023_128,
  xmin: null,
};

export interface ChangeParts {
  readonly before?: object | null;
  readonly after?: object | null;
  readonly source?: object;
}

/** A change event's value, as with `value.converter.schemas.enable=false`. */
export function change(op: string, { before = null, after = null, source = {} }: ChangeParts = {}): object {
  return {
    before,
    after,
    source: { ...sourceBlock, ...source },
    transaction: null,
    op,
    ts_ms: nowMs - 2_000,
    ts_us: (nowMs - 2_000) * 1_000,
    ts_ns: (nowMs - 2_000) * 1_000_000,
  };
}

const columns = [
  { type: "int32", optional: false, default: 0, field: "id" },
  { type: "string", optional: false, field: "name" },
  {
    type: "bytes",
    optional: true,
    name: "org.apache.kafka.connect.data.Decimal",
    version: 1,
    parameters: { scale: "2", "connect.decimal.precision": "10" },
    field: "price",
  },
  {
    type: "string",
    optional: true,
    name: "io.debezium.data.Enum",
    version: 1,
    parameters: { allowed: "tool,toy" },
    field: "kind",
  },
  { type: "array", items: { type: "string", optional: true }, optional: true, field: "tags" },
  { type: "int64", optional: true, name: "io.debezium.time.MicroTimestamp", version: 1, field: "made" },
  {
    type: "struct",
    fields: [
      { type: "string", optional: false, field: "wkb" },
      { type: "int32", optional: true, field: "srid" },
    ],
    optional: true,
    name: "io.debezium.data.geometry.Geography",
    version: 1,
    field: "place",
  },
  {
    type: "array",
    items: { type: "double", optional: true },
    optional: true,
    name: "io.debezium.data.DoubleVector",
    version: 1,
    field: "face",
  },
  { type: "bytes", optional: true, field: "photo" },
];

/** The schema of a table's events with these columns, beside one of them. */
export function withSchema(payload: object, extra: readonly object[] = []): object {
  const named = extra.map((one) => (one as { field: string }).field);
  const all = [...columns.filter(({ field }) => !named.includes(field)), ...extra];
  const row = { type: "struct", fields: all, optional: true, name: "shop.public.products.Value" };
  return {
    schema: {
      type: "struct",
      fields: [
        { ...row, field: "before" },
        { ...row, field: "after" },
        {
          type: "struct",
          fields: [],
          optional: false,
          name: "io.debezium.connector.postgresql.Source",
          field: "source",
        },
        { type: "string", optional: false, field: "op" },
        { type: "int64", optional: true, field: "ts_ms" },
      ],
      optional: false,
      name: "shop.public.products.Envelope",
      version: 2,
    },
    payload,
  };
}

/** A key as the JsonConverter writes it with its schema. */
export function keyWithSchema(id: number): object {
  return {
    schema: {
      type: "struct",
      fields: [{ type: "int32", optional: false, default: 0, field: "id" }],
      optional: false,
      name: "shop.public.products.Key",
    },
    payload: { id },
  };
}

/** Attributes of a CloudEvent, as headers in binary mode. */
export const cloudEvent = {
  specversion: "1.0",
  id: "01HZQF3K7T0RPMK6N3CXVQXX2A",
  source: "/services/catalogue",
  type: "com.example.product.changed.v1",
  subject: "product-7",
  time: "2026-05-01T11:59:58.500Z",
};

export function headersOf(event: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce_${name}`, value]));
}

/** What becomes of one message. */
export function map(source: Partial<TopicSource>, parts: MessageParts, versionKey?: string) {
  const collection = collectionWith(source, versionKey);
  const [own] = collection.sources;
  return mapMessage(own as TopicSource, collection, message(parts), { nowMs }).mapped;
}

/** The record as the pipeline has it, or why there is none. */
export function recordOf(source: Partial<TopicSource>, parts: MessageParts, versionKey?: string) {
  const mapped = map(source, parts, versionKey);
  if (mapped.kind !== "record") return mapped.kind === "refused" ? mapped.reason : mapped.kind;
  const arrivalVersion = version(mapped.version ?? 0n);
  const parsed = parseRecord(collectionWith(source, versionKey), mapped.value, {
    source: mapped.source,
    textual: false,
    arrivalVersion,
  });
  if (!parsed.ok) return parsed.failure.message;
  const { fields, ...envelope } = parsed.value;
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
  return { ...envelope, fields: given };
}
