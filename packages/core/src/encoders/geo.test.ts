import fc from "fast-check";
import { expect, test } from "vitest";
import { normalize } from "../fuse.ts";
import { dot, segmentOf, unitLength } from "./expectations.ts";
import { geoEncoder } from "./geo.ts";

const encoder = geoEncoder("place");
// Not fc.double: most doubles are next to 0.
const degrees = (max: number) => fc.integer({ min: -max * 1e6, max: max * 1e6 }).map((x) => x / 1e6);
const place = fc.record({ lat: degrees(90), lon: degrees(180) });

test("the cosine of two places is that of the haversine formula's angle, both ways", async () => {
  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const [first, second] = [await segmentOf(encoder, a), await encoder.encodeQuery(b)];
      expect(unitLength(first)).toBe(true);
      expect(dot(first, second)).toBeCloseTo(Math.cos(haversine(a, b)), 6);
      expect(dot(second, first)).toBe(dot(first, second));
    }),
  );
});

test("the date line and the poles are no borders", async () => {
  const [west, east] = [
    { lat: 10, lon: -180 },
    { lat: 10, lon: 180 },
  ];
  expect(dot(await segmentOf(encoder, west), await segmentOf(encoder, east))).toBeCloseTo(1, 6);
  const [pole, samePole] = [
    { lat: 90, lon: 0 },
    { lat: 90, lon: 123 },
  ];
  expect(dot(await segmentOf(encoder, pole), await segmentOf(encoder, samePole))).toBeCloseTo(1, 6);
});

test("in half precision the same place comes before one 250 km away", async () => {
  const earthRadiusKm = 6371;
  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const apartKm = haversine(a, b) * earthRadiusKm;
      fc.pre(apartKm > 250);
      // The point 250 km from a on the way to b.
      const [from, to] = [await segmentOf(encoder, a), await segmentOf(encoder, b)];
      const across = normalize(to.map((x, i) => x - dot(from, to) * (from[i] as number)));
      const angle = 250 / earthRadiusKm;
      const near = from.map((x, i) => Math.cos(angle) * x + Math.sin(angle) * (across[i] as number));
      const [stored, farther] = [from.map(Math.f16round), near.map(Math.f16round)];
      expect(dot(stored, stored)).toBeGreaterThan(dot(stored, farther));
    }),
  );
});

test("a query off the globe is refused with the limits", async () => {
  await expect(encoder.encodeQuery({ lat: 91, lon: 0 })).rejects.toMatchObject({
    code: "query_invalid",
    message: 'space "place": the query has the latitude 91; it goes from -90 to 90',
  });
  for (const query of [null, "here", { lat: 1 }, { lat: 1, lon: Number.NaN }]) {
    await expect(encoder.encodeQuery(query as never)).rejects.toMatchObject({ code: "query_invalid" });
  }
});

function haversine(a: { lat: number; lon: number }, b: { lat: number; lon: number }): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const chord =
    Math.sin(radians(b.lat - a.lat) / 2) ** 2 +
    Math.cos(radians(a.lat)) * Math.cos(radians(b.lat)) * Math.sin(radians(b.lon - a.lon) / 2) ** 2;
  return 2 * Math.asin(Math.min(1, Math.sqrt(chord)));
}
