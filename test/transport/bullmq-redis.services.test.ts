import { describeTransport } from "@medley/transport/conformance";
import { describe } from "vitest";
import { startBullmqRedis } from "./bullmq-redis-queue.ts";

const serverUrl = process.env.REDIS_URL as string;

describe.skipIf(process.env.REDIS_URL === undefined)("on the server at REDIS_URL", () => {
  describeTransport("BullMQ on Redis", () => startBullmqRedis(serverUrl));
});
