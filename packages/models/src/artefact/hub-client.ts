import { setTimeout as sleep } from "node:timers/promises";
import { downloadFile, HubApiError, listFiles, modelInfo } from "@huggingface/hub";
import { MedleyError } from "@medley/core";
import type { HubSettings } from "./hub-cache.ts";

/** A file of a repository, with the hashes that the hub knows. */
export interface HubFile {
  readonly path: string;
  readonly bytes: number;
  /** Hex, of files kept in LFS or Xet. */
  readonly sha256: string | undefined;
  /** Hex SHA-1 of git's blob, of all other files. */
  readonly gitOid: string | undefined;
}

const attemptsMax = 5;
const retryDelayMs = 500;
const retryDelayMsMax = 30_000;
/** Repositories with more hold checkpoints, not a model. */
const filesMax = 10_000;
const passingStatuses: readonly number[] = [408, 429, 500, 502, 503, 504];

/**
 * The hub over HTTP, by @huggingface/hub. What it leaves out is here: offline mode, tries again with growing pauses, tokens
 * that don't begin with `hf_` (of mirrors), a token that goes to the endpoint only and to no host it redirects to. Files come
 * by plain requests with a range, not by Xet's protocol: so an interrupted file continues where it ended, on mirrors too.
 * Throws `hub_unavailable` for what may pass, `model_not_found` for what the hub hasn't or doesn't show.
 */
export class HubClient {
  readonly #settings: HubSettings;
  readonly #signal: AbortSignal | undefined;

  constructor(settings: HubSettings, signal: AbortSignal | undefined) {
    this.#settings = settings;
    this.#signal = signal;
  }

  /** The commit that a branch, tag or commit stands for: 40 hex digits. */
  async commitOf(id: string, revision: string): Promise<string> {
    const info = await this.#ask(id, revision, () =>
      modelInfo({ name: id, revision, additionalFields: ["sha"], ...this.#access() }),
    );
    const { sha } = info as { sha?: unknown };
    if (typeof sha === "string" && /^[0-9a-f]{40}$/.test(sha)) return sha;
    throw this.#unavailable(`names no commit of ${id}`);
  }

  async list(id: string, commit: string): Promise<HubFile[]> {
    return this.#ask(id, commit, async () => {
      const files: HubFile[] = [];
      const repo = { type: "model", name: id } as const;
      for await (const entry of listFiles({ repo, revision: commit, recursive: true, ...this.#access() })) {
        if (entry.type !== "file") continue;
        files.push({
          path: entry.path,
          bytes: entry.lfs?.size ?? entry.size,
          sha256: entry.lfs?.oid,
          gitOid: entry.lfs === undefined ? entry.oid : undefined,
        });
        if (files.length > filesMax) throw this.#unavailable(`lists more than ${filesMax} files of ${id}`);
      }
      return files;
    });
  }

  /** The file's bytes from `offset` on. Throws where the connection ends early; a server may ignore `offset`. */
  async *read(id: string, commit: string, file: HubFile, offset: number): AsyncGenerator<Uint8Array> {
    let failure: unknown;
    // The library's stream keeps only the message of what went wrong.
    const remembering: typeof fetch = async (input, init) => {
      try {
        const answer = await this.#fetch(input, init);
        if (!answer.ok) failure = this.#unavailable(`answers ${answer.status} for ${file.path} of ${id}`);
        return answer;
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    const blob = await this.#ask(id, commit, () =>
      downloadFile({
        repo: { type: "model", name: id },
        path: file.path,
        revision: commit,
        xet: false,
        hubUrl: this.#settings.endpoint,
        fetch: remembering,
      }),
    );
    if (blob === null) throw this.#unavailable(`lists ${file.path} of ${id} and does not have it`);
    if (blob.size !== file.bytes)
      throw this.#unavailable(`gives ${file.path} of ${id} two sizes, ${file.bytes} and ${blob.size}`);
    try {
      yield* (offset === 0 ? blob : blob.slice(offset)).stream();
    } catch (error) {
      throw failure ?? error;
    }
  }

  #access(): { hubUrl: string; fetch: typeof fetch } {
    return { hubUrl: this.#settings.endpoint, fetch: this.#fetch };
  }

  readonly #fetch: typeof fetch = async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    const { token, endpoint } = this.#settings;
    // A redirect to another origin loses it: fetch sees to that.
    if (token !== undefined && url.origin === new URL(endpoint).origin) {
      headers.set("authorization", `Bearer ${token}`);
    }
    const signal = this.#signal ?? null;
    for (let attempt = 1; ; attempt += 1) {
      this.#signal?.throwIfAborted();
      const answer = await fetch(url, { ...init, headers, signal }).catch((cause) => {
        this.#signal?.throwIfAborted();
        if (attempt === attemptsMax) throw this.#unavailable(`can't be reached: ${reasonOf(cause)}`, cause);
        return null;
      });
      if (answer !== null && !passingStatuses.includes(answer.status)) return answer;
      await answer?.body?.cancel();
      if (answer !== null && attempt === attemptsMax) throw this.#unavailable(`answers ${answer.status}`);
      await sleep(pauseMs(attempt, answer), undefined, this.#signal ? { signal: this.#signal } : {});
    }
  };

  async #ask<Value>(id: string, revision: string, call: () => Promise<Value>): Promise<Value> {
    try {
      return await call();
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (error instanceof HubApiError) throw this.#refused(id, revision, error);
      if (error instanceof MedleyError) throw error;
      throw this.#unavailable(`gave an answer that can't be read: ${reasonOf(error)}`, error);
    }
  }

  /** The hub answers 401 for what does not exist too, so that names of private models can't be guessed. */
  #refused(id: string, revision: string, { statusCode }: HubApiError): MedleyError {
    const { endpoint, token } = this.#settings;
    const what = `${endpoint} does not give ${id} at ${revision}: it answers ${statusCode}`;
    if (statusCode === 404) {
      return new MedleyError("model_not_found", what, {
        mend: "check the name and --revision (a branch, tag or commit) on the hub's page of the model",
      });
    }
    const mend =
      token === undefined
        ? "check the name; for a private or gated model set HF_TOKEN, or run `hf auth login`"
        : "check the name; the token must be valid and may read the model: accept its terms on the hub's page";
    return new MedleyError("model_not_found", what, { mend });
  }

  #unavailable(what: string, cause?: unknown): MedleyError {
    return new MedleyError("hub_unavailable", `${this.#settings.endpoint} ${what}`, {
      mend: "try again: what has been downloaded is kept; HF_ENDPOINT names a mirror",
      cause,
    });
  }
}

function pauseMs(attempt: number, answer: Response | null): number {
  const seconds = Number(answer?.headers.get("retry-after") ?? Number.NaN);
  const growing = retryDelayMs * 2 ** (attempt - 1) * (0.5 + Math.random());
  return Math.min(Number.isFinite(seconds) ? seconds * 1000 : growing, retryDelayMsMax);
}

/** fetch says only "fetch failed"; what failed is below. */
export function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message : message;
}
