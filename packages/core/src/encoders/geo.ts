import { strict as assert } from "node:assert";
import type { Encoder } from "../encoder.ts";
import type { GeoPoint } from "../fields.ts";
import { parseValue } from "../record/parse-value.ts";
import { fail, succeed } from "../result.ts";
import { pureEncoder, type Segment } from "./pure-encoder.ts";

export const geoDimensions = 3;

/**
 * A place as a point on the unit sphere, x towards (0°, 0°), y towards (0°, 90° E), z towards the north pole. The cosine
 * of two places is the cosine of the angle between them, which falls with the great-circle distance: 1 at the same
 * place, 0 at 10,008 km, -1 at the antipode.
 */
export function geoSegment({ lat, lon }: GeoPoint): Segment {
  assert(Math.abs(lat) <= 90 && Math.abs(lon) <= 180, "places are checked before they are encoded");
  const latitude = (lat * Math.PI) / 180;
  const longitude = (lon * Math.PI) / 180;
  const x = Math.cos(latitude) * Math.cos(longitude);
  const y = Math.cos(latitude) * Math.sin(longitude);
  return succeed(Float32Array.of(x, y, Math.sin(latitude)));
}

/** Nearest to a place. */
export function geoQuerySegment(query: GeoPoint): Segment {
  const checked = parseValue({ name: "query", type: "geo" }, query, false);
  if (checked.ok && checked.value !== null) return geoSegment(checked.value as GeoPoint);
  const message = checked.ok ? "the query is empty" : `the query ${checked.failure}`;
  return fail({ message, mend: 'give a place like {"lat": 52.1, "lon": 4.3}' });
}

export function geoEncoder(space: string): Encoder<GeoPoint, GeoPoint> {
  return pureEncoder({
    space,
    dimensions: geoDimensions,
    decides: { encoder: "geo", algorithm: 1 },
    segment: geoSegment,
    querySegment: geoQuerySegment,
  });
}
