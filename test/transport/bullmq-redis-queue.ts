import { randomUUID } from "node:crypto";
import { openBullmqRedis } from "@medley/transport";
import type { QueueUnderTest } from "@medley/transport/conformance";
import { Redis } from "ioredis";
import { startHolder } from "./holder.ts";
import { Line } from "./line.ts";

const leaseMs = 2_500;

/** The queue under a prefix that is the test's own. */
export async function startBullmqRedis(url: string): Promise<QueueUnderTest & { readonly prefix: string }> {
  const prefix = `medley-test-${randomUUID().slice(0, 8)}`;
  const redis = new Redis(url);
  const lines: Line[] = [];
  const open = (through = url) => openBullmqRedis({ url: through, prefix, leaseMs });
  const empty = async () => {
    await Promise.all(lines.splice(0).map((line) => line.cut()));
    for await (const keys of redis.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
      if (keys.length > 0) await redis.unlink(...keys);
    }
  };
  return {
    prefix,
    open: () => open(),
    empty,
    startHolder: () => startHolder("hold-packet.ts", [url, prefix, String(leaseMs)]),
    openOverLine: async () => {
      const { line, url: through } = await lineTo(url);
      lines.push(line);
      return { transport: await open(through), cut: () => line.cut(), mend: () => line.mend() };
    },
    stop: async () => {
      await empty();
      redis.disconnect();
    },
  };
}

/** A line to the server of a URL, and the URL that leads through it. */
export async function lineTo(url: string): Promise<{ line: Line; url: string }> {
  const through = new URL(url);
  const line = new Line({ host: through.hostname, port: Number(through.port || 6_379) });
  await line.mend();
  through.hostname = "127.0.0.1";
  through.port = String(line.port);
  return { line, url: through.href };
}
