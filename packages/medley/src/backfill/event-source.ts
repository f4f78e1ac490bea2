import { isObject, opKey } from "@medley/core";
import type { Source } from "@medley/sources";

/** Before the path of a run that reads events: what `--resume` goes by. */
export const eventsPrefix = "events:";

/** A source whose items are events of users, not records. */
export function eventSource(source: Source): Source {
  return {
    name: source.name,
    textual: source.textual,
    total: () => source.total(),
    fingerprint: () => source.fingerprint(),
    async *records(range) {
      for await (const item of source.records(range)) {
        yield item.ok && isObject(item.value)
          ? { ...item, value: { ...item.value, [opKey]: "event" } }
          : item;
      }
    },
  };
}
