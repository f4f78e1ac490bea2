import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, errorTable, MedleyError } from "@medley/core";

export interface ServiceOptions {
  /** `http://127.0.0.1:7400`, without a path. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`. */
  readonly token: string | undefined;
  /** Of one call with all its tries and the waiting between them. */
  readonly callMsMax: number;
  readonly triesMax: number;
}

export interface Call {
  readonly method: "GET" | "POST" | "DELETE";
  /** From `/v1` on, its parts encoded. */
  readonly path: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly body: unknown;
  /** What the server asks to wait for before what it refused is sent again; null where it asks for nothing. */
  readonly retryAfterMs: number | null;
}

const retryAfterMsMax = 10_000;
const firstPauseMs = 200;
/** Of Medley 429 and 503, of a proxy before it the others. */
const passingStatuses: readonly number[] = [429, 502, 503, 504];

/** One Medley over HTTP. Holds nothing between calls: each has its own bound of time and of tries. */
export class Service {
  readonly #options: ServiceOptions;

  constructor(options: ServiceOptions) {
    if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? "")) {
      throw new MedleyError("usage", "the address of Medley is no http or https URL", {
        mend: "give one such as http://127.0.0.1:7400",
      });
    }
    this.#options = options;
  }

  /**
   * Tries again where that may help: all calls of the interface may be repeated. Throws the server's own error, or `service_unavailable`
   * where none came in time.
   */
  async call(call: Call): Promise<Answer> {
    const { callMsMax, triesMax } = this.#options;
    const late = AbortSignal.timeout(callMsMax);
    const signal = call.signal === undefined ? late : AbortSignal.any([late, call.signal]);
    for (let tried = 1; ; tried += 1) {
      const { answer, error, pauseMs } = await this.#try(call, signal);
      if (answer !== undefined) return answer;
      call.signal?.throwIfAborted();
      if (tried === triesMax || pauseMs === null || late.aborted) throw error;
      const waitMs = pauseMs ?? firstPauseMs * 2 ** tried * (0.5 + Math.random() / 2);
      await sleep(Math.min(waitMs, retryAfterMsMax), undefined, { signal }).catch(() => {
        call.signal?.throwIfAborted();
        throw error;
      });
    }
  }

  /** An answer, or the error; `pauseMs` before the next try, undefined where the server says nothing of it, null: none would help. */
  async #try(call: Call, signal: AbortSignal): Promise<Tried> {
    const { url, token } = this.#options;
    try {
      const response = await fetch(new URL(call.path, url), {
        method: call.method,
        signal,
        redirect: "error",
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(call.body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      });
      const body: unknown = await response.json().catch(() => null);
      const retryAfterMs = waitOf(response.headers.get("retry-after"));
      const error = errorOf(body);
      // 422 is also what becomes of a request none of whose records is valid: its answer names them.
      if (error === null && body !== null && (response.ok || response.status === 422)) {
        return { answer: { body, retryAfterMs } };
      }
      return {
        error: error ?? this.#unavailable(`it answered ${response.status}`),
        pauseMs: passingStatuses.includes(response.status) ? (retryAfterMs ?? undefined) : null,
      };
    } catch (cause) {
      return { error: this.#unavailable("it does not answer", cause), pauseMs: undefined };
    }
  }

  #unavailable(problem: string, cause?: unknown): MedleyError {
    return new MedleyError("service_unavailable", `${new URL(this.#options.url).host}: ${problem}`, {
      mend: "see that a Medley of this version serves HTTP there",
      cause,
    });
  }
}

type Tried =
  | { readonly answer: Answer; readonly error?: undefined; readonly pauseMs?: undefined }
  | { readonly answer?: undefined; readonly error: MedleyError; readonly pauseMs: number | null | undefined };

function waitOf(header: string | null): number | null {
  const seconds = Number(header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds * 1000, retryAfterMsMax) : null;
}

/** Null: the body is no error of Medley's. */
function errorOf(body: unknown): MedleyError | null {
  const error = (body as { error?: { code?: unknown; message?: unknown; mend?: unknown } } | null)?.error;
  if (typeof error?.code !== "string" || typeof error.message !== "string") return null;
  const code = error.code in errorTable ? (error.code as ErrorCode) : "service_unavailable";
  return new MedleyError(code, error.message, typeof error.mend === "string" ? { mend: error.mend } : {});
}
