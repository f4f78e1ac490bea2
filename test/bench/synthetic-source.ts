import type { Source } from "@medley/sources";

/** `count` records made as they are read, as a file would give them. */
export function syntheticSource(count: number, recordOf: (n: number) => Record<string, unknown>): Source {
  return {
    name: "synthetic.jsonl",
    textual: false,
    total: async () => count,
    fingerprint: async () => "synthetic",
    async *records({ skip = 0 } = {}) {
      for (let n = skip; n < count; n++) {
        yield {
          ok: true,
          value: recordOf(n),
          source: `synthetic.jsonl:${n + 1}`,
          payload: new Uint8Array(0),
        };
      }
    },
  };
}
