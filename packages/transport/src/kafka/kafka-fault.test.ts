import { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { kafkaFault } from "./kafka-fault.ts";

test("of several tries the last one's reason is said", () => {
  const inner = new AggregateError(
    [new Error("first"), new Error("access denied")],
    "metadata failed 2 times.",
  );
  const fault = kafkaFault(new AggregateError([inner], "Listing topics failed."), "making topic t");
  expect(fault).toMatchObject({ code: "transport_unavailable", mend: expect.any(String) });
  expect(fault.message).toBe(
    "Kafka failed (making topic t): Listing topics failed. metadata failed 2 times. access denied",
  );
});

test("what is an operating error already stays as it is", () => {
  const fault = new MedleyError("overloaded", "full");
  expect(kafkaFault(fault, "anything")).toBe(fault);
  expect(kafkaFault(new Error("no"), "w").message).toBe("Kafka failed (w): no");
});
