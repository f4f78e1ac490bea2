import { createHash } from "node:crypto";
import { normalize } from "@medley/core";
import type { Operation } from "./operations.ts";

/**
 * Everything a record holds follows from its id and version, and so does its vector: a row that mixes two versions, or
 * two records, differs from every content there is.
 */
export const collectionName = "items";
export const codeDimensions = 8;
export const titleDimensions = 8;
const kinds = ["red", "green", "blue", "grey"] as const;
const amountMax = 1_000;
/** Successive versions often share their title, so that its segment is copied from the row instead of encoded. */
const versionsPerTitle = 30;

export interface Content {
  readonly title: string;
  readonly code: readonly number[];
  readonly amount: number;
  readonly kind: string;
}

/** Beginnings of titles that are refused further on: by the stub endpoint, and by a constraint of the table. */
export const unreadableTitle = "unreadable";
export const refusedTitle = "refused";

export function configuration(encoderUrl: string): object {
  return {
    collections: {
      [collectionName]: {
        version: "version",
        fields: {
          title: "text",
          code: `vector(${codeDimensions})`,
          amount: "number",
          kind: "category",
        },
        spaces: {
          code: { encoder: "vector", field: "code" },
          amount: { encoder: "number", field: "amount", range: [0, amountMax] },
          kind: { encoder: "category", field: "kind", values: kinds, unknown: "reject" },
          title: {
            encoder: "remote",
            field: "title",
            url: encoderUrl,
            model: "stub",
            dimensions: titleDimensions,
            timeoutMs: 3_000,
          },
        },
      },
    },
  };
}

export function contentOf({ id, version, poison }: Pick<Operation, "id" | "version" | "poison">): Content {
  const hash = createHash("sha256").update(`${id} ${version}`).digest();
  const title = `item ${id}, text ${Math.floor(version / versionsPerTitle)}`;
  const content = {
    title,
    code: codeOf(hash),
    amount: hash.readUInt16BE(codeDimensions) % (amountMax + 1),
    kind: kinds[(hash[codeDimensions + 2] as number) % kinds.length] as string,
  };
  switch (poison) {
    case "encoder":
      return { ...content, title: `${unreadableTitle} ${title} ${version}` };
    case "store":
      return { ...content, title: `${refusedTitle} ${title} ${version}` };
    case "vocabulary":
      return { ...content, kind: "none of them" };
    default:
      return content;
  }
}

/** Sixteenths, which every float prints alike. Never all zero. */
function codeOf(hash: Uint8Array): number[] {
  const code = Array.from({ length: codeDimensions }, (_, at) => ((hash[at] as number) - 128) / 16);
  if (!code.some((entry) => entry !== 0)) return [1, ...code.slice(1)];
  return code;
}

/** As it is sent. What is poison for the door has an amount that is no number. */
export function recordOf(operation: Operation): Record<string, unknown> {
  const { id, version, action, poison } = operation;
  if (action === "delete") return { id, version, _op: "delete" };
  const content = contentOf(operation);
  return { id, version, ...content, ...(poison === "door" ? { amount: "none" } : {}) };
}

/** The audit trigger writes the same of a row. */
export function contentMd5({ title, code, amount, kind }: Content): string {
  return md5(`${title}|[${code.join(",")}]|${amount}|${kind}`);
}

/** Of the fused vector as `halfvec_send` gives it: its dimensions, an unused word, halves in network order. */
export function vectorMd5(content: Content): string {
  const halves = vectorOf(content);
  const bytes = Buffer.alloc(4 + 2 * halves.length);
  bytes.writeUInt16BE(halves.length, 0);
  const bits = new Uint16Array(halves.buffer);
  for (const [at, half] of bits.entries()) bytes.writeUInt16BE(half, 4 + 2 * at);
  return md5(bytes);
}

/** What the four spaces must give, computed apart from Medley's encoders. */
function vectorOf({ title, code, amount, kind }: Content): Float16Array<ArrayBuffer> {
  const angle = ((amount / amountMax) * Math.PI) / 2;
  const segments = [
    [...normalize(Float32Array.from(code))],
    [...Float32Array.of(Math.sin(angle), Math.cos(angle))],
    kinds.map((name): number => (name === kind ? 1 : 0)),
    [...normalize(titleVector(title))],
  ];
  return Float16Array.from(segments.flat());
}

/** What the stub endpoint answers. */
export function titleVector(title: string): Float32Array {
  const hash = createHash("sha256").update(title).digest();
  return Float32Array.from({ length: titleDimensions }, (_, at) => (hash[at] as number) - 127.5);
}

function md5(bytes: string | Uint8Array): string {
  return createHash("md5").update(bytes).digest("hex");
}
