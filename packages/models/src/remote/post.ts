import type { EndpointKey } from "./endpoint-key.ts";

/** A request that carries JSON, and the key only to the host that it names. */
export function postOf(body: object, key: EndpointKey | null, signal: AbortSignal): RequestInit {
  return {
    method: "POST",
    headers: {
      accept: "application/json",
      "content-type": "application/json",
      "user-agent": "medley",
      ...(key === null ? {} : { authorization: key.authorization() }),
    },
    body: JSON.stringify(body),
    redirect: "manual", // A key must not travel on.
    signal,
  };
}

/** Null where it is longer than `bytesMax`; the rest is not read then. */
export async function readBody(response: Response, bytesMax: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes > bytesMax) return null; // Leaving the loop cancels the body.
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** `ECONNREFUSED` and the like. The message of such an error is not shown: it may quote headers. */
export function networkCode(error: unknown): string {
  const code = (error as { cause?: { code?: unknown } } | null)?.cause?.code;
  return typeof code === "string" && /^[A-Z_]{1,40}$/.test(code) ? code : "network error";
}
