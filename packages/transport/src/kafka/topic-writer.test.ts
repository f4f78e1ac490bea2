import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { KafkaClient, KafkaProducer } from "./kafka-client.ts";
import type { NewMessage } from "./topic-message.ts";
import { FlightWriter } from "./topic-writer.ts";

interface Flight {
  readonly producer: number;
  readonly topic: string;
  readonly values: readonly string[];
  readonly done: PromiseWithResolvers<void>;
}

class TooLarge extends Error {}

/** A client whose brokers are in the test's hands. */
class Brokers implements KafkaClient {
  readonly flights: Flight[] = [];
  readonly closed: number[] = [];
  /** How a flight ends; null: when the test says so. */
  answer: ((flight: Flight) => void) | null = ({ done }) => done.resolve();
  #producers = 0;

  async openProducer(): Promise<KafkaProducer> {
    this.#producers += 1;
    const producer = this.#producers;
    return {
      send: (topic, messages) => {
        const values = messages.map(({ value }) => String(value));
        const flight = { producer, topic, values, done: Promise.withResolvers<void>() };
        this.flights.push(flight);
        this.answer?.(flight);
        return flight.done.promise;
      },
      close: async () => {
        this.closed.push(producer);
      },
    };
  }

  openAdmin(): never {
    throw new Error("a writer asks nothing");
  }

  join(): never {
    throw new Error("a writer joins nothing");
  }

  isTooLarge(error: unknown): boolean {
    return error instanceof TooLarge;
  }
}

function messagesOf(...values: readonly string[]): readonly NewMessage[] {
  return values.map((value) => ({ key: null, value }));
}

test("calls made while a flight is under way share the next, in their order", async () => {
  const brokers = new Brokers();
  brokers.answer = null;
  const writer = new FlightWriter(brokers, { compresses: false });
  const first = writer.send("t", messagesOf("a"));
  await sleep(1);
  const others = [writer.send("t", messagesOf("b", "c")), writer.send("t", messagesOf("d"))];
  const elsewhere = writer.send("u", messagesOf("e"));
  await sleep(1);
  expect(brokers.flights.map(({ values }) => values)).toEqual([["a"]]);
  brokers.answer = ({ done }) => done.resolve();
  brokers.flights[0]?.done.resolve();
  await Promise.all([first, ...others, elsewhere]);
  expect(brokers.flights.map(({ topic, values }) => [topic, values])).toEqual([
    ["t", ["a"]],
    ["t", ["b", "c", "d"]],
    ["u", ["e"]],
  ]);
});

test("a flight takes at most 1,000 messages and what brokers take at once; a longer message goes alone", async () => {
  const brokers = new Brokers();
  const writer = new FlightWriter(brokers, { compresses: false });
  await writer.send("t", messagesOf(...Array.from({ length: 2_500 }, (_, index) => `${index}`)));
  expect(brokers.flights.map(({ values }) => values.length)).toEqual([1_000, 1_000, 500]);
  brokers.flights.length = 0;
  const [short, half, long] = ["x", "y".repeat(500_000), "z".repeat(2_000_000)] as const;
  await writer.send("t", messagesOf(short, half, half, long, short));
  expect(brokers.flights.map(({ values }) => values.map((value) => value[0]))).toEqual([
    ["x", "y"],
    ["y"],
    ["z"],
    ["x"],
  ]);
});

test("a failed flight fails its calls, not later ones, and its producer is not used again", async () => {
  const brokers = new Brokers();
  const writer = new FlightWriter(brokers, { compresses: false });
  brokers.answer = ({ values, done }) =>
    values.includes("bad") ? done.reject(new Error("no")) : done.resolve();
  const failed = Promise.allSettled([
    writer.send("t", messagesOf("good")),
    writer.send("t", messagesOf("bad")),
  ]);
  await sleep(5);
  await writer.send("t", messagesOf("later"));
  for (const outcome of await failed) {
    expect(outcome).toMatchObject({ status: "rejected", reason: { code: "transport_unavailable" } });
  }
  expect(brokers.flights.map(({ producer }) => producer)).toEqual([1, 2]);
  expect(brokers.closed).toEqual([1]);
});

test("a call whose first half failed sends no more of itself", async () => {
  const brokers = new Brokers();
  brokers.answer = ({ done }) => done.reject(new Error("no"));
  const writer = new FlightWriter(brokers, { compresses: false });
  const values = Array.from({ length: 1_500 }, (_, index) => `${index}`);
  await expect(writer.send("t", messagesOf(...values))).rejects.toMatchObject({
    code: "transport_unavailable",
  });
  await writer.close();
  expect(brokers.flights).toHaveLength(1);
});

test("messages that are too large together are sent apart; one that is by itself is refused, and only its call", async () => {
  const brokers = new Brokers();
  brokers.answer = ({ values, done }) => {
    if (values.join("").length > 10) done.reject(new TooLarge());
    else done.resolve();
  };
  const writer = new FlightWriter(brokers, { compresses: false });
  const [small, large] = await Promise.allSettled([
    writer.send("t", messagesOf("aaaa", "bbbb", "cccc", "dddd")),
    writer.send("t", messagesOf("e".repeat(11))),
  ]);
  expect(small).toMatchObject({ status: "fulfilled" });
  expect(large).toMatchObject({ status: "rejected", reason: { code: "body_too_large" } });
  const written = brokers.flights
    .filter(({ values }) => values.join("").length <= 10)
    .flatMap((f) => f.values);
  expect(written).toEqual(["aaaa", "bbbb", "cccc", "dddd"]);
});

test("brokers that do not answer are an error in time, also for calls that wait behind", async () => {
  const brokers = new Brokers();
  brokers.answer = null;
  const writer = new FlightWriter(brokers, { compresses: false, sendTimeoutMs: 50 });
  const calls = [writer.send("t", messagesOf("a"))];
  await sleep(5);
  calls.push(writer.send("t", messagesOf("b")));
  for (const call of calls) await expect(call).rejects.toMatchObject({ code: "transport_unavailable" });
  brokers.answer = ({ done }) => done.resolve();
  await writer.send("t", messagesOf("c"));
  await writer.close();
  await expect(writer.send("t", messagesOf("d"))).rejects.toMatchObject({ code: "transport_unavailable" });
  expect(brokers.flights.at(-1)?.values).toEqual(["c"]);
});

test("what waits is bounded", async () => {
  const brokers = new Brokers();
  brokers.answer = null;
  const writer = new FlightWriter(brokers, { compresses: false });
  const value = "x".repeat(2 ** 20);
  const waiting = Array.from({ length: 66 }, () => writer.send("t", messagesOf(value)));
  await expect(writer.send("t", messagesOf("more"))).rejects.toMatchObject({ code: "overloaded" });
  brokers.answer = ({ done }) => done.resolve();
  brokers.flights[0]?.done.resolve();
  const outcomes = await Promise.allSettled(waiting);
  expect(outcomes.filter(({ status }) => status === "fulfilled").length).toBeGreaterThan(60);
  await writer.send("t", messagesOf("more"));
});
