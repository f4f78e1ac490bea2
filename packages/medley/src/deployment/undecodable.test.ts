import { expect, test } from "vitest";
import { deadLetterOfMessage } from "./undecodable.ts";

const message = {
  topic: "medley-records",
  partition: 3,
  offset: 17n,
  key: Buffer.from("films/a/b"),
  value: Buffer.from("{"),
  headers: {},
  timestampMs: 0,
};

test("a message is kept whole, and says where it was", () => {
  expect(deadLetterOfMessage("records", message)).toMatchObject({
    collection: "films",
    recordId: "a/b",
    stage: "embed",
    code: "body_malformed",
    payload: message.value,
    source: "medley-records[3]@17",
  });
});

test.for([null, Buffer.from("just text"), Buffer.alloc(0)])("a key that is not ours: %s", (key) => {
  const letter = deadLetterOfMessage("vectors", { ...message, key, value: null });
  expect(letter).toMatchObject({ recordId: null, stage: "index", payload: new Uint8Array() });
  expect(letter.collection).not.toBe("");
});
