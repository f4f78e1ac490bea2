/** Hostile and broken files: none takes memory or its neighbours with it. */
import { expect, test } from "vitest";
import { refusedFiles, suspiciousFiles } from "./bombs.fixture.ts";
import type { ImageSession } from "./image-session.ts";
import { openFixture, picture } from "./pictures.fixture.ts";

const growthMaxBytes = 100e6;
const session = await openFixture("tiny-vit");
const good = [picture("photo.jpg"), picture("alpha.png")] as const;
const { values: expected } = await session.prepare(good, "passage");
/** Beyond its first use the decoder keeps what it has: what it takes for ordinary pictures is no growth. */
for (const name of ["large.jpg", "large.png", "still.avif", "page.tiff", "palette.gif"]) {
  await session.prepare([picture(name)], "passage");
}

/** Prepares a file between two good ones. The most memory that the process had above what it had before. */
async function between(
  bytes: Uint8Array,
): Promise<{ growthBytes: number; prepared: Awaited<ReturnType<ImageSession["prepare"]>> }> {
  const before = process.memoryUsage.rss();
  let most = before;
  const sample = () => {
    most = Math.max(most, process.memoryUsage.rss());
  };
  const sampling = setInterval(sample, 2);
  const prepared = await session.prepare([good[0], bytes, good[1]], "passage");
  clearInterval(sampling);
  sample();
  return { growthBytes: most - before, prepared };
}

function checkNeighbours(prepared: Awaited<ReturnType<ImageSession["prepare"]>>): void {
  const rowValues = expected.length / 2;
  const [first, middle, last] = prepared.lengths as unknown as [number, number, number];
  expect([first, last]).toEqual([rowValues, rowValues]);
  const { values } = prepared;
  expect(values.subarray(0, rowValues)).toEqual(expected.subarray(0, rowValues));
  expect(values.subarray(rowValues + middle)).toEqual(expected.subarray(rowValues));
}

test.for(Object.entries(await refusedFiles()))("%s is refused", async ([name, bytes]) => {
  const { growthBytes, prepared } = await between(bytes);
  expect(prepared.failures).toHaveLength(1);
  const [failure] = prepared.failures;
  console.log(`${name}: ${failure?.message} (${(growthBytes / 1e6).toFixed(0)} MB)`);
  expect(failure).toMatchObject({
    index: 1,
    message: expect.stringMatching(/^the picture /),
    mend: expect.any(String),
  });
  expect(prepared.lengths[1]).toBe(0);
  checkNeighbours(prepared);
  expect(growthBytes).toBeLessThan(growthMaxBytes);
});

test.for(Object.entries(await suspiciousFiles()))("%s is read or refused", async ([name, bytes]) => {
  const { growthBytes, prepared } = await between(bytes);
  const outcome = prepared.failures[0]?.message ?? "read";
  console.log(`${name}: ${outcome} (${(growthBytes / 1e6).toFixed(0)} MB)`);
  checkNeighbours(prepared);
  expect(growthBytes).toBeLessThan(growthMaxBytes);
});
