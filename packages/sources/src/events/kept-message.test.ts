import fc from "fast-check";
import { expect, test } from "vitest";
import { keepMessage, keptMessage } from "./kept-message.ts";
import { message } from "./messages.fixture.ts";

test("a kept message comes back as it was, whatever its bytes", () => {
  const bytes = fc.option(
    fc.oneof(
      fc.uint8Array(),
      fc.string().map((text) => Uint8Array.from(Buffer.from(text))),
    ),
    { nil: null },
  );
  fc.assert(
    fc.property(bytes, bytes, fc.bigInt({ min: 0n, max: 2n ** 63n }), (key, value, offset) => {
      const given = { ...message({ headers: { traceparent: "00-a" } }), key, value, offset };
      const kept = keptMessage(keepMessage(given));
      const plain = (one: Uint8Array | null | undefined) => (one ? [...one] : one);
      expect({ ...kept, key: plain(kept?.key), value: plain(kept?.value) }).toEqual({
        ...given,
        key: plain(key),
        value: plain(value),
      });
    }),
  );
});

test.for([
  "",
  "{}",
  "[]",
  '{"kept":"message/2"}',
  "id,name",
  '{"kept":"message/1","offset":"x"}',
  '{"id":"7","name":"spade"}',
])("%j is none", (text) => {
  expect(keptMessage(Buffer.from(text))).toBeNull();
});
