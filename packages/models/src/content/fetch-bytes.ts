import type { IncomingMessage } from "node:http";
import { hostOf } from "./allowed-hosts.ts";
import { type Connections, connectionFault } from "./connections.ts";
import { Refused, tooLarge, Unreachable } from "./faults.ts";
import { retryAfterMsOf } from "./retry.ts";

const redirectsMax = 3;
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Besides 5xx: the host is busy or not ready yet (RFC 9110, 8470, 6585). */
const passingStatuses: ReadonlySet<number> = new Set([408, 425, 429]);
const firstBytes = 65_536;

/**
 * The body of a GET of `start`, following redirects; each is checked as `start` is. Until `signal` ends it, which its
 * caller makes bound the whole: a host that sends a byte now and then gains nothing. Throws `Refused`, `Unreachable`, or the
 * signal's reason.
 */
export async function fetchBytes(
  start: URL,
  { connections, bytesMax, signal }: { connections: Connections; bytesMax: number; signal: AbortSignal },
): Promise<Uint8Array<ArrayBuffer>> {
  let url = start;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const response = await connections.get(url, signal);
    if (!redirectStatuses.has(response.statusCode ?? 0))
      return await bodyOf(response, url, { bytesMax, signal });
    response.destroy(); // Its body is of no use, and may be endless.
    url = redirectTarget(url, response.headers.location);
  }
  throw new Refused(
    `${hostOf(start)} redirects more than ${redirectsMax} times`,
    "put the address it leads to into the record",
  );
}

/** Where a redirect leads; whether that may be fetched is checked with the next request. */
export function redirectTarget(from: URL, location: string | undefined): URL {
  if (location === undefined || !URL.canParse(location, from.href)) {
    throw new Refused(`${hostOf(from)} redirects to no valid address`, "correct the address in the record");
  }
  const to = new URL(location, from);
  if (from.protocol === "https:" && to.protocol === "http:") {
    throw new Refused(
      `${hostOf(from)} redirects from https to http, which anyone on the way could change`,
      "put the address it leads to into the record, if it is meant",
    );
  }
  return to;
}

async function bodyOf(
  response: IncomingMessage,
  url: URL,
  { bytesMax, signal }: { bytesMax: number; signal: AbortSignal },
): Promise<Uint8Array<ArrayBuffer>> {
  const what = `the answer of ${hostOf(url)}`;
  try {
    checkHead(response, url);
    if (Number(response.headers["content-length"] ?? 0) > bytesMax) throw tooLarge(what, bytesMax);
    const bytes = await gather(response, what, bytesMax);
    if (bytes.length === 0) throw new Refused(`${what} is empty`, "correct the address in the record");
    return bytes;
  } catch (error) {
    response.destroy();
    throw connectionFault(error, url, signal);
  }
}

function checkHead({ statusCode: status = 0, headers }: IncomingMessage, url: URL): void {
  if (status >= 500 || passingStatuses.has(status)) {
    throw new Unreachable(
      `${hostOf(url)} answered ${status}`,
      retryAfterMsOf(headers["retry-after"], Date.now()),
    );
  }
  if (status !== 200) {
    throw new Refused(
      `${hostOf(url)} answered ${status}`,
      "correct the address in the record, or let the host serve it; then replay the record",
    );
  }
  const encoding = headers["content-encoding"] ?? "identity";
  const transfer = headers["transfer-encoding"] ?? "chunked";
  if (encoding.toLowerCase() !== "identity" || transfer.toLowerCase() !== "chunked") {
    throw new Refused(
      `${hostOf(url)} compresses its answer, though it was asked not to`,
      "let the host serve the file as it is",
    );
  }
}

/** Into one buffer that doubles, not a list of chunks: a hostile host sends single bytes, each with its overhead. */
async function gather(
  body: AsyncIterable<Uint8Array>,
  what: string,
  bytesMax: number,
): Promise<Uint8Array<ArrayBuffer>> {
  let bytes = new Uint8Array(Math.min(firstBytes, bytesMax));
  let length = 0;
  for await (const chunk of body) {
    const end = length + chunk.length;
    if (end > bytesMax) throw tooLarge(what, bytesMax);
    if (end > bytes.length) {
      const larger = new Uint8Array(Math.min(bytesMax, Math.max(end, 2 * bytes.length)));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length = end;
  }
  return bytes.slice(0, length);
}
