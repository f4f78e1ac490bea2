import fc from "fast-check";
import { expect, test } from "vitest";
import type { ConnectSchema } from "./connect-schema.ts";
import { convertConnect } from "./connect-values.ts";

function convert(schema: Partial<ConnectSchema>, value: unknown, fieldType = "text") {
  const result = convertConnect({ value, schema: { type: "string", ...schema } }, fieldType);
  return result.ok ? result.value : result.failure;
}

const decimal = (scale: number) => ({
  type: "bytes",
  name: "org.apache.kafka.connect.data.Decimal",
  parameters: { scale: String(scale) },
});

/** As Java's BigInteger.toByteArray: the fewest bytes in two's complement. */
function bytesOf(unscaled: bigint): string {
  let length = 1;
  while (BigInt.asIntN(length * 8, unscaled) !== unscaled) length += 1;
  const hex = BigInt.asUintN(length * 8, unscaled).toString(16);
  return Buffer.from(hex.padStart(length * 2, "0"), "hex").toString("base64");
}

test.for([
  // Of Debezium's documentation and of Java: new BigDecimal("123.45").unscaledValue().toByteArray().
  ["MDk=", 2, "123.45"],
  ["AA==", 0, "0"],
  ["AA==", 2, "0.00"],
  ["/w==", 2, "-0.01"],
  ["gA==", 1, "-12.8"],
  ["AIA=", 0, "128"],
  ["DA==", -2, "1200"],
] as const)("decimal %s of scale %s is %s", ([bytes, scale, expected]) => {
  expect(convert(decimal(scale), bytes)).toBe(expected);
});

test("a decimal's text is exact, whatever its size and scale", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }),
      fc.integer({ min: 0, max: 30 }),
      (n, scale) => {
        const text = convert(decimal(scale), bytesOf(n)) as string;
        const [whole = "", fraction = ""] = text.split(".");
        expect(fraction.length).toBe(scale);
        expect(BigInt(whole + fraction) * (n < 0n && /^-0*$/.test(whole + fraction) ? -1n : 1n)).toBe(n);
      },
    ),
  );
});

test.for([
  ["io.debezium.time.Date", 19_844, "2024-05-01T00:00:00.000Z"],
  ["org.apache.kafka.connect.data.Date", -1, "1969-12-31T00:00:00.000Z"],
  ["io.debezium.time.Timestamp", 1_714_564_800_123, "2024-05-01T12:00:00.123Z"],
  ["org.apache.kafka.connect.data.Timestamp", 0, "1970-01-01T00:00:00.000Z"],
  ["io.debezium.time.MicroTimestamp", 1_714_564_800_123_999, "2024-05-01T12:00:00.123Z"],
  ["io.debezium.time.MicroTimestamp", -1, "1969-12-31T23:59:59.999Z"],
  ["io.debezium.time.NanoTimestamp", "1714564800123999999", "2024-05-01T12:00:00.123Z"],
  ["io.debezium.time.ZonedTimestamp", "2024-05-01T12:00:00.123456Z", "2024-05-01T12:00:00.123456Z"],
  ["io.debezium.time.IsoTimestamp", "2024-05-01T12:00:00Z", "2024-05-01T12:00:00Z"],
  ["io.debezium.time.IsoDate", "2024-05-01Z", "2024-05-01"],
  ["io.debezium.data.Json", '{"a":1}', { a: 1 }],
  ["io.debezium.data.Json", "not json", "not json"],
  ["io.debezium.data.EnumSet", "a,b", ["a", "b"]],
  ["io.debezium.data.EnumSet", "", []],
  ["io.debezium.data.Uuid", "f0e1", "f0e1"],
  ["io.debezium.data.geometry.Point", { x: 4.9, y: 52.4, wkb: "AQ==", srid: null }, { lat: 52.4, lon: 4.9 }],
  ["io.debezium.data.VariableScaleDecimal", { scale: 1, value: "fQ==" }, "12.5"],
  ["io.debezium.data.DoubleVector", [1, 2], [1, 2]],
  ["org.apache.kafka.connect.data.Decimal", 12.5, "12.5"],
] as const)("%s of %j", ([name, value, expected]) => {
  expect(convert({ name }, value)).toEqual(expected);
});

test.for([
  ["little-endian", "0101000000000000000000f03f0000000000000040", { lon: 1, lat: 2 }],
  ["big-endian", "00000000013ff00000000000004000000000000000", { lon: 1, lat: 2 }],
  ["with a reference system", "0101000020e6100000000000000000f03f0000000000000040", { lon: 1, lat: 2 }],
  ["with a height", "01e9030000000000000000f03f00000000000000400000000000000840", { lon: 1, lat: 2 }],
] as const)("a point in well-known binary, %s", ([, hex, expected]) => {
  const wkb = Buffer.from(hex, "hex").toString("base64");
  expect(convert({ name: "io.debezium.data.geometry.Geometry" }, { wkb, srid: 4326 }, "geo")).toEqual(
    expected,
  );
});

test.for([
  [
    "a line is no point",
    { name: "io.debezium.data.geometry.Geometry" },
    { wkb: "AQIAAAACAAAAAAAAAAAA8D8AAAAAAAAAQA==" },
    "geo",
    "is no io.debezium.data.geometry.Geometry that can be read",
  ],
  ["a cut point", { name: "io.debezium.data.geometry.Geometry" }, { wkb: "AQEAAAA=" }, "geo", "can be read"],
  ["a decimal that is none", decimal(2), true, "number", "is no org.apache.kafka.connect.data.Decimal"],
  [
    "a time of day as a timestamp",
    { type: "int64", name: "io.debezium.time.MicroTime" },
    5,
    "timestamp",
    "is a time of day (io.debezium.time.MicroTime), which a timestamp can't hold",
  ],
  ["bytes as a text", { type: "bytes" }, "AA==", "text", "is bytes, which a text can't hold"],
  [
    "bits",
    { type: "bytes", name: "io.debezium.data.Bits" },
    "AA==",
    "image",
    "is bytes (io.debezium.data.Bits)",
  ],
  [
    "a struct",
    { type: "struct", name: "address" },
    {},
    "text",
    "is a struct (address); name one of its parts",
  ],
  ["a date beyond the calendar", { name: "io.debezium.time.Date" }, 1e9, "timestamp", "can be read"],
  ["a date that is a text", { name: "io.debezium.time.Date" }, "x", "timestamp", "can be read"],
] as const)("refused: %s", ([, schema, value, fieldType, reason]) => {
  expect(convert(schema, value, fieldType)).toContain(reason);
});

test("a time of day is a number where the field is one; without a schema nothing is converted", () => {
  expect(convert({ type: "int64", name: "io.debezium.time.MicroTime" }, 5, "number")).toBe(5);
  expect(convertConnect({ value: "MDk=", schema: null }, "number")).toEqual({ ok: true, value: "MDk=" });
});
