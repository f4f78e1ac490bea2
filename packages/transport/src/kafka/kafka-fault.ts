import type { MedleyError } from "@medley/core";
import { faultOf } from "../lease-consumer.ts";

const depthMax = 4;

/** Any failure of a client as an operating error. */
export function kafkaFault(error: unknown, what: string): MedleyError {
  const causes = causesOf(error);
  const said = causes.length > 1 ? new Error(causes.join(" "), { cause: error }) : error;
  return faultOf(said, "Kafka", what);
}

/** A library that tried several times says so, and why the last one failed beneath. */
function causesOf(error: unknown): readonly string[] {
  const texts: string[] = [];
  let current = error;
  for (let depth = 0; depth < depthMax && current instanceof AggregateError; depth += 1) {
    texts.push(current.message);
    current = current.errors.at(-1);
  }
  if (current instanceof Error && texts.length > 0) texts.push(current.message);
  return [...new Set(texts)];
}
