import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blockingConnection, commandConnection, connect } from "./connection.ts";
import { MarkerListener } from "./marker-listener.ts";

const url = process.env.REDIS_URL as string;
const key = `medley-test-${randomUUID()}`;

describe.skipIf(process.env.REDIS_URL === undefined)(
  "the marker of a queue in Redis (needs REDIS_URL)",
  () => {
    const redis = commandConnection(url, { name: "medley-test", commandMsMax: 5_000 });
    let arrivals = 0;
    let idle = true;
    let listener: MarkerListener;

    beforeAll(async () => {
      await connect(redis, 5_000);
      listener = new MarkerListener({
        redis: blockingConnection(url, { name: "medley-test", connectMsMax: 5_000, blockMsMax: 10_000 }),
        key,
        blockMsMax: 10_000,
        isIdle: () => idle,
        onArrival: () => {
          arrivals += 1;
        },
        onFault: (error) => {
          throw error;
        },
      });
    });
    afterAll(async () => {
      await listener.close();
      await redis.del(key);
      redis.disconnect();
    });

    test("a marker set before or after is heard once per time it is listened for", async () => {
      await redis.zadd(key, 0, "0");
      listener.listen();
      await expect.poll(() => arrivals).toBe(1);
      listener.listen();
      listener.listen();
      await redis.zadd(key, 0, "0");
      await expect.poll(() => arrivals).toBe(2);
      expect(await redis.exists(key)).toBe(0);
    });

    test("a marker got while nobody here would take the job is left to others", async () => {
      idle = false;
      listener.listen();
      // Time to be blocked on the key, so that the marker is taken the moment it is set.
      await sleep(200);
      await redis.zadd(key, 0, "0");
      await expect.poll(async () => redis.exists(key)).toBe(1);
      expect(arrivals).toBe(2);
    });
  },
);
