import { fail, MedleyError, parseValue, succeed } from "@medley/core";
import type { Features, FeaturesManifest } from "./features.ts";

const dayMs = 86_400_000;

/**
 * A moment as the graph takes it: whole days since the origin, which may be negative, and what is left as a share of a day, 0 to 1.
 * In one float32 a moment ten years from the origin would be off by 10 seconds or more; whole days are exact, and the share is to
 * 5 ms.
 */
export function daysSince(originMs: number, timeMs: number): readonly [days: number, share: number] {
  const days = Math.floor((timeMs - originMs) / dayMs);
  return [days, (timeMs - originMs - days * dayMs) / dayMs];
}

/** Inputs `days` and `share`, both [batch, 1], of a moment in ms since 1970. A query is a moment, or says it as ISO 8601. */
export function time2vecFeatures(manifest: FeaturesManifest): Features<number> {
  const { originMs } = manifest;
  if (typeof originMs !== "number" || !Number.isFinite(originMs)) {
    throw new MedleyError("model_damaged", "the trained model's manifest.json names no origin", {
      mend: "take the artefact's folder from a backup, or train the space again",
    });
  }
  const row = (timeMs: number) => succeed(Float32Array.from(daysSince(originMs, timeMs)));
  return {
    row,
    queryRow: (query) => {
      const checked = parseValue({ name: "query", type: "timestamp" }, query, false);
      if (checked.ok && checked.value !== null) return row(checked.value as number);
      return fail({
        message: "the query is no moment",
        mend: 'give a moment, such as "2024-05-01T09:00:00Z"',
      });
    },
  };
}
