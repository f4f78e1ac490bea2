import { fail, isObject, type Result, succeed } from "@medley/core";
import type { ConnectSchema, WithSchema } from "./connect-schema.ts";

/**
 * Values as Kafka Connect and Debezium encode them, by the name of their schema, to what a record holds: decimals become exact
 * texts, times ISO 8601, geometries places. Sources: org.apache.kafka.connect.data.{Decimal,Date,Timestamp} and
 * https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-data-types. `undefined`: it is not what
 * its schema says.
 */
type Convert = (value: unknown, parameters: Readonly<Record<string, string>>) => unknown;

const passed: Convert = (value) => value;
const text: Convert = (value) => (typeof value === "string" ? value : undefined);

const converters: Readonly<Record<string, Convert>> = {
  "org.apache.kafka.connect.data.Decimal": (value, { scale }) => decimalOf(value, Number(scale ?? 0)),
  "io.debezium.data.VariableScaleDecimal": (value) =>
    isObject(value) ? decimalOf(value.value, Number(value.scale ?? 0)) : undefined,
  "org.apache.kafka.connect.data.Date": (value) => instantOf(value, 86_400_000n, 1n),
  "org.apache.kafka.connect.data.Timestamp": (value) => instantOf(value, 1n, 1n),
  "io.debezium.time.Date": (value) => instantOf(value, 86_400_000n, 1n),
  "io.debezium.time.Timestamp": (value) => instantOf(value, 1n, 1n),
  "io.debezium.time.MicroTimestamp": (value) => instantOf(value, 1n, 1_000n),
  "io.debezium.time.NanoTimestamp": (value) => instantOf(value, 1n, 1_000_000n),
  "io.debezium.time.ZonedTimestamp": text,
  "io.debezium.time.IsoTimestamp": text,
  // `2024-03-31Z`
  "io.debezium.time.IsoDate": (value) => (typeof value === "string" ? value.replace(/Z$/, "") : undefined),
  "io.debezium.data.Json": (value) => (typeof value === "string" ? jsonOrText(value) : undefined),
  "io.debezium.data.EnumSet": (value) =>
    typeof value === "string" ? value.split(",").filter((one) => one !== "") : undefined,
  "io.debezium.data.geometry.Point": (value) =>
    isObject(value) ? { lat: value.y, lon: value.x } : undefined,
  "io.debezium.data.geometry.Geometry": (value) => (isObject(value) ? pointOf(value.wkb) : undefined),
  "io.debezium.data.geometry.Geography": (value) => (isObject(value) ? pointOf(value.wkb) : undefined),
  "io.debezium.data.DoubleVector": passed,
  "io.debezium.data.FloatVector": passed,
};

/** Numbers with no place in the calendar: only a number field takes them. */
const spans: Readonly<Record<string, string>> = {
  "org.apache.kafka.connect.data.Time": "a time of day",
  "io.debezium.time.Time": "a time of day",
  "io.debezium.time.MicroTime": "a time of day",
  "io.debezium.time.NanoTime": "a time of day",
  "io.debezium.time.MicroDuration": "a length of time",
  "io.debezium.time.NanoDuration": "a length of time",
  "io.debezium.time.Year": "a year",
};

/** A value for a field of that type, or what is wrong with it. */
export function convertConnect({ value, schema }: WithSchema, fieldType: string): Result<unknown, string> {
  if (schema === null || value === null || value === undefined) return succeed(value);
  const name = schema.name ?? "";
  if (Object.hasOwn(spans, name)) {
    return fieldType === "number"
      ? succeed(value)
      : fail(`is ${spans[name]} (${name}), which a ${fieldType} can't hold`);
  }
  if (!Object.hasOwn(converters, name)) return convertUnnamed(value, schema, fieldType);
  const converted = converters[name]?.(value, schema.parameters ?? {});
  return converted === undefined ? fail(`is no ${name} that can be read`) : succeed(converted);
}

/** Names that are not listed leave the value's type as it is (`io.debezium.data.Uuid`, `Enum`). */
function convertUnnamed(
  value: unknown,
  { type, name }: ConnectSchema,
  fieldType: string,
): Result<unknown, string> {
  const isContent = fieldType === "image" || fieldType === "audio";
  if (type === "bytes") {
    return isContent && name === undefined
      ? succeed({ base64: value })
      : fail(`is bytes${name === undefined ? "" : ` (${name})`}, which a ${fieldType} can't hold`);
  }
  if (type === "struct")
    return fail(`is a struct${name === undefined ? "" : ` (${name})`}; name one of its parts`);
  return succeed(value);
}

/** Base64 of a big-endian two's complement integer, to be divided by 10^scale; or already a number or text. */
function decimalOf(value: unknown, scale: number): string | undefined {
  if (typeof value === "number") return String(value);
  if (typeof value !== "string" || !Number.isSafeInteger(scale) || Math.abs(scale) > 1_000) return undefined;
  const bytes = Buffer.from(value, "base64");
  if (bytes.length === 0 || bytes.length > 1_000) return undefined;
  const unscaled = BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString("hex")}`));
  if (scale <= 0) return (unscaled * 10n ** BigInt(-scale)).toString();
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  return `${unscaled < 0n ? "-" : ""}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** ISO 8601 of a count of units since 1970; the unit is `times / per` milliseconds. */
function instantOf(value: unknown, times: bigint, per: bigint): string | undefined {
  const isInteger = Number.isSafeInteger(value) || (typeof value === "string" && /^-?\d{1,20}$/.test(value));
  if (!isInteger) return undefined;
  const scaled = BigInt(value as number | string) * times;
  // Down also before 1970, so that instants keep their order.
  const epochMs = Number(scaled >= 0n ? scaled / per : (scaled - per + 1n) / per);
  // Years 0001 to 9999: others have no ISO date of four digits.
  if (epochMs < -62_135_596_800_000 || epochMs > 253_402_300_799_999) return undefined;
  return new Date(epochMs).toISOString();
}

function jsonOrText(value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** A point in well-known binary (OGC 06-103r4), also PostGIS' extended form; longitude comes first. */
function pointOf(wkb: unknown): { lat: number; lon: number } | undefined {
  if (typeof wkb !== "string") return undefined;
  const bytes = Buffer.from(wkb, "base64");
  if (bytes.length < 21 || (bytes[0] !== 0 && bytes[0] !== 1)) return undefined;
  const isLittle = bytes[0] === 1;
  const type = isLittle ? bytes.readUInt32LE(1) : bytes.readUInt32BE(1);
  const hasSrid = (type & 0x2000_0000) !== 0;
  if ((type & 0x0fff_ffff) % 1_000 !== 1) return undefined;
  const start = hasSrid ? 9 : 5;
  if (bytes.length < start + 16) return undefined;
  const read = (at: number) => (isLittle ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at));
  return { lon: read(start), lat: read(start + 8) };
}
