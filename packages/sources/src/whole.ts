import { MedleyError } from "@medley/core";

/** Throws `MedleyError` `source_unreadable` with `mend` where there is more than `wholeBytesMax`. */
export async function readWhole(
  chunks: AsyncIterable<Buffer>,
  options: { name: string; wholeBytesMax: number; mend: string },
): Promise<Buffer> {
  const { name, wholeBytesMax, mend } = options;
  const parts: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of chunks) {
    byteCount += chunk.length;
    if (byteCount > wholeBytesMax) {
      const message = `${name} has more than ${wholeBytesMax} bytes, and its format must be held in memory whole`;
      throw new MedleyError("source_unreadable", message, { mend });
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
