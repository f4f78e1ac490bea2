import { describe, expect, test } from "vitest";
import { cloudEvent, headersOf, nowMs, recordOf } from "./messages.fixture.ts";

const cloudevents = { format: "cloudevents" } as const;

describe("CloudEvents", () => {
  const data = { name: "spade", price: 3 };
  const structured = { ...cloudEvent, datacontenttype: "application/json", data };
  const json = { "content-type": "application/json; charset=utf-8" };

  test.for([
    ["binary", { headers: { ...headersOf(cloudEvent), ...json }, value: data }],
    [
      "binary, of a vendor's JSON",
      { headers: { ...headersOf(cloudEvent), "content-type": "application/vnd.a+json" }, value: data },
    ],
    [
      "structured",
      { headers: { "content-type": "application/cloudevents+json; charset=UTF-8" }, value: structured },
    ],
    ["structured, unannounced", { value: structured }],
    [
      "structured, base64",
      { value: { ...cloudEvent, data_base64: Buffer.from(JSON.stringify(data)).toString("base64") } },
    ],
  ] as const)("%s", ([, parts]) => {
    expect(recordOf(cloudevents, parts)).toMatchObject({ id: "product-7", op: "upsert", fields: data });
    const mapped = { ...cloudevents, map: { kind: "$event.type" }, id: "$event.id" } as const;
    expect(recordOf(mapped, parts)).toMatchObject({
      id: cloudEvent.id,
      fields: { ...data, kind: cloudEvent.type },
    });
    const timed = { ...cloudevents, version: { time: "$event.time" } } as const;
    expect(recordOf(timed, parts)).toMatchObject({ version: (BigInt(nowMs - 1_500) << 20n) + 17n });
  });

  test.for([
    [
      "by its type, without data",
      { headers: { ...headersOf({ ...cloudEvent, type: "com.example.product.deleted.v1" }) } },
    ],
    [
      "by its type, structured",
      { value: { ...cloudEvent, type: "com.example.product.deleted.v2", data: { id: "product-7" } } },
    ],
    ["without value and attributes", { key: "product-7" }],
  ] as const)("a delete: %s", ([, parts]) => {
    const deleteWhen = { path: "$event.type", is: "com.example.product.deleted.*" };
    expect(recordOf({ ...cloudevents, deleteWhen }, parts)).toMatchObject({ id: "product-7", op: "delete" });
  });

  test.for([
    ["no attributes", { value: data }, "it has no specversion, id, source, type"],
    [
      "a part of them",
      { headers: { ce_type: "a", ce_specversion: "1.0" }, value: data },
      "it has no id, source",
    ],
    [
      "other data",
      { headers: { ...headersOf(cloudEvent), "content-type": "text/csv" }, value: "a,b" },
      "data is text/csv",
    ],
    [
      "another format",
      { headers: { "content-type": "application/cloudevents+avro" }, value: "x" },
      "application/cloudevents+avro",
    ],
    [
      "a batch",
      { headers: { "content-type": "application/cloudevents-batch+json" }, value: [structured] },
      "only application/cloudevents+json",
    ],
    ["no data and no delete", { headers: headersOf(cloudEvent) }, "has no field of collection"],
    ["data that is a text", { value: { ...cloudEvent, data: "spade" } }, "no JSON object"],
  ] as const)("refused: %s", ([, parts, reason]) => {
    expect(recordOf(cloudevents, parts)).toContain(reason);
  });
});
