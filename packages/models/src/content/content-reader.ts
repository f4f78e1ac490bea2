import { strict as assert } from "node:assert";
import { isAbsolute } from "node:path";
import { contentOf, type EncodeFailure, fail, MedleyError, type Result, succeed } from "@medley/core";
import { AllowedHosts, hostOf } from "./allowed-hosts.ts";
import { Connections, type ResolveHost, resolveBySystem } from "./connections.ts";
import { DownHosts } from "./down-hosts.ts";
import { Refused, sendBase64, tooLarge, Unreachable } from "./faults.ts";
import { fetchBytes } from "./fetch-bytes.ts";
import { readUnder } from "./folder.ts";
import { type RetryBounds, retrying } from "./retry.ts";
import { Slots } from "./slots.ts";

export interface ContentReaderOptions extends Partial<RetryBounds> {
  /** Absolute; `null`: paths are refused. */
  readonly folder: string | null;
  /** As `ContentSources.hosts`. Empty: addresses are refused. */
  readonly hosts: readonly string[];
  /** Of one picture or clip. Default 32 MiB. */
  readonly bytesMax?: number;
  /** Of one attempt to fetch, from the name's resolution over all redirects to the last byte. Default 20,000. */
  readonly timeoutMs?: number;
  /** Of these, for the name's resolution, the connection and its TLS. Default 5,000. */
  readonly connectMsMax?: number;
  /** Default 16; half of them for one host. */
  readonly fetchesInFlightMax?: number;
  /** Reads that are open at once, those that wait included; one more is `encoder_unavailable`. Default 1,000. */
  readonly readsMax?: number;
  /** Default: the system's. */
  readonly resolve?: ResolveHost;
}

const defaults = {
  bytesMax: 32 * 2 ** 20,
  timeoutMs: 20_000,
  connectMsMax: 5_000,
  fetchesInFlightMax: 16,
  readsMax: 1_000,
  attemptsMax: 3,
  backoffMs: 250,
  retryAfterMsMax: 10_000,
  resolve: resolveBySystem,
};

/** About as long as a host takes to be started again. */
const downHostMemoryMs = 30_000;

/** More would only queue for the threads that Node reads files with, four by default. */
const filesInFlightMax = 4;

/**
 * Turns checked values of image and audio fields into bytes. Records come from anywhere, so a path or address is hostile
 * until shown otherwise: paths stay under one folder (`folder.ts`), addresses lead to allowed hosts (`allowed-hosts.ts`) at
 * public addresses (`address.ts`, `connections.ts`).
 *
 * States: open, closing, closed. In hand are at most `readsMax` reads, of which `fetchesInFlightMax` and `filesInFlightMax`
 * hold bytes, each up to twice `bytesMax` while it grows; base64 is decoded at once. Trade: a fetch that pauses before its
 * next attempt gives its slot away and queues again, so a busy host doesn't keep others waiting.
 */
export class ContentReader implements AsyncDisposable {
  readonly #options: Required<ContentReaderOptions>;
  readonly #connections: Connections;
  readonly #fetches: Slots;
  readonly #files = new Slots({ inFlightMax: filesInFlightMax, perKeyMax: filesInFlightMax });
  readonly #down = new DownHosts({ memoryMs: downHostMemoryMs });
  readonly #open = new Set<Promise<unknown>>();
  readonly #closing = new AbortController();

  /** Throws `MedleyError` `config_invalid` for a host that can never be reached. */
  constructor(options: ContentReaderOptions) {
    assert(options.folder === null || isAbsolute(options.folder));
    this.#options = { ...defaults, ...options };
    const { hosts, resolve, connectMsMax, fetchesInFlightMax } = this.#options;
    this.#connections = new Connections({ hosts: new AllowedHosts(hosts), resolve, connectMsMax });
    this.#fetches = new Slots({
      inFlightMax: fetchesInFlightMax,
      perKeyMax: Math.ceil(fetchesInFlightMax / 2),
    });
  }

  /**
   * The bytes that `value` stands for, in a buffer of their own, which may be transferred. `encoder_failed` where the value,
   * what it leads to, or a host is at fault; `encoder_unavailable` where too many are being read. Rejects with the signal's
   * reason, and with `encoder_unavailable` where it is closed meanwhile or the machine can't open more files.
   */
  async read(value: string, signal?: AbortSignal): Promise<Result<Uint8Array<ArrayBuffer>, EncodeFailure>> {
    assert(!this.#closing.signal.aborted, "read after close");
    signal?.throwIfAborted();
    if (this.#open.size >= this.#options.readsMax) {
      return fail({
        code: "encoder_unavailable",
        message: `${this.#open.size} pictures or clips are being read already`,
      });
    }
    const ends = signal === undefined ? [] : [signal];
    const reading = this.#bytesOf(value, AbortSignal.any([this.#closing.signal, ...ends]));
    this.#open.add(reading);
    try {
      return succeed(await reading);
    } catch (error) {
      return fail(failureOf(error));
    } finally {
      this.#open.delete(reading);
    }
  }

  /** Ends what is open, which rejects with `encoder_unavailable`, and idle connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(
      new MedleyError("encoder_unavailable", "pictures and clips are no longer read: closing"),
    );
    await Promise.allSettled(this.#open);
    this.#connections[Symbol.dispose]();
  }

  async #bytesOf(value: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    const { folder, bytesMax } = this.#options;
    const content = contentOf(value);
    switch (content.kind) {
      case "bytes":
        return decodeBase64(content.base64, bytesMax);
      case "path":
        if (folder === null) {
          throw new Refused(
            "paths are not read: this space has no folder",
            `name one under "from.folder" of the space; or ${sendBase64}`,
          );
        }
        return await this.#files.run("", () => readUnder(folder, content.path, bytesMax), signal);
      case "url":
        return await this.#fetch(content.url, signal);
      default:
        throw new Error(`unreachable: ${content satisfies never}`);
    }
  }

  async #fetch(text: string, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
    if (!URL.canParse(text)) throw new Refused("the address is no valid one", "correct it in the record");
    const url = new URL(text);
    const { bytesMax, timeoutMs } = this.#options;
    const connections = this.#connections;
    const attempt = () =>
      within(timeoutMs, url, signal, (ending) => fetchBytes(url, { connections, bytesMax, signal: ending }));
    const attemptsMax = this.#down.has(url.host, Date.now()) ? 1 : this.#options.attemptsMax;
    try {
      const bytes = await retrying(
        () => this.#fetches.run(url.host, attempt, signal),
        { ...this.#options, attemptsMax },
        signal,
      );
      this.#down.delete(url.host);
      return bytes;
    } catch (error) {
      if (error instanceof Unreachable) this.#down.add(url.host, Date.now());
      throw error;
    }
  }
}

/** Runs `work` with a signal that also ends it after `timeoutMs`, as `Unreachable`. */
async function within<Value>(
  timeoutMs: number,
  url: URL,
  signal: AbortSignal,
  work: (ending: AbortSignal) => Promise<Value>,
): Promise<Value> {
  const timeout = new AbortController();
  const late = () => timeout.abort(new Unreachable(`${hostOf(url)} took longer than ${timeoutMs} ms`));
  const timer = setTimeout(late, timeoutMs);
  try {
    return await work(AbortSignal.any([signal, timeout.signal]));
  } finally {
    clearTimeout(timer);
  }
}

function decodeBase64(base64: string, bytesMax: number): Uint8Array<ArrayBuffer> {
  const size = Buffer.byteLength(base64, "base64");
  if (size > bytesMax) throw tooLarge("the base64", bytesMax);
  const bytes = new Uint8Array(size);
  const written = Buffer.from(bytes.buffer).write(base64, "base64");
  // Checked on arrival; a value that comes by another way must not become a picture cut short.
  if (size === 0 || written !== size) {
    throw new Refused("the base64 is no valid one", "send all of it, as RFC 4648 describes it");
  }
  return bytes;
}

/** What is neither the record's nor a host's fault is thrown on. */
function failureOf(error: unknown): EncodeFailure {
  if (error instanceof Refused) return { code: "encoder_failed", message: error.message, mend: error.mend };
  // Not `encoder_unavailable`, which would hold the whole packet back and try it again: one dead host would hold up
  // every record that is queued behind it, for as long as it is dead. A dead letter waits without harm.
  if (error instanceof Unreachable) {
    const mend = "this may pass: replay the record later, when the host answers again";
    return { code: "encoder_failed", message: error.message, mend };
  }
  throw error;
}
