import { expect } from "vitest";
import { ContentReader, type ContentReaderOptions } from "./content-reader.ts";

export const failed = (message: string) => ({
  ok: false,
  failure: { code: "encoder_failed", message: expect.stringContaining(message), mend: expect.any(String) },
});

/** Of whatever listens on 127.0.0.1 at `port`. */
export function readerOf(port: number, options: Partial<ContentReaderOptions> = {}): ContentReader {
  const hosts = [`127.0.0.1:${port}`, `127.0.0.2:${port}`, `localhost:${port}`];
  return new ContentReader({ folder: null, hosts, bytesMax: 1_000, backoffMs: 1, ...options });
}
export const at = (port: number, path = "/") => `http://127.0.0.1:${port}${path}`;
