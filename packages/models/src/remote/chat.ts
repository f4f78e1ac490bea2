import { setTimeout as sleep } from "node:timers/promises";
import { fail, MedleyError, type Result, remoteAddressProblems, succeed } from "@medley/core";
import type { EndpointKey } from "./endpoint-key.ts";
import { networkCode, postOf, readBody } from "./post.ts";
import { askedWaitMs } from "./retry-after.ts";

export interface ChatOptions {
  /** The base that `/chat/completions` is put after: `https://api.openai.com/v1`, `http://localhost:11434/v1`. */
  readonly url: string;
  readonly model: string;
  readonly key: EndpointKey | null;
  /** Of a question, its second attempt with it. Default 15,000. */
  readonly timeoutMs?: number;
}

export interface ChatQuestion {
  readonly instructions: string;
  readonly sentence: string;
  /** JSON schema that the answer must obey. */
  readonly schema: object;
}

/** The answer as JSON, or in one line why there is none. Throws only the signal's reason. */
export type Chat = (question: ChatQuestion, signal?: AbortSignal) => Promise<Result<unknown, string>>;

const answerBytesMax = 256 * 1_024;
/** A search waits no longer for another try. */
const waitMsMax = 2_000;
const waitMsDefault = 500;
const attemptsMax = 2;

/**
 * Asks a model at an endpoint that speaks OpenAI's chat protocol with structured outputs (OpenAI, vLLM, Ollama), at temperature 0.
 * What the endpoint says in its own words is never passed on: it may quote the sentence or the key. Throws `usage` for an
 * address that may not be used.
 */
export function openChat({ url, model, key, timeoutMs = 15_000 }: ChatOptions): Chat {
  const [problem] = remoteAddressProblems({
    url,
    ...(key === null ? {} : { keyVariable: "MEDLEY_CHAT_KEY" }),
  });
  if (problem !== undefined) {
    throw new MedleyError("usage", `the address of the chat endpoint: ${problem}`, {
      mend: "correct MEDLEY_CHAT_URL",
    });
  }
  const address = `${url.replace(/\/+$/, "")}/chat/completions`;
  return async (question, signal) => {
    const timeout = AbortSignal.timeout(timeoutMs);
    const either = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
    for (let attempt = 1; ; attempt += 1) {
      const reply = await attemptOnce(address, requestOf({ model, key }, question, either), signal);
      if (reply.waitMs === null || attempt === attemptsMax) return reply.result;
      await sleep(Math.min(reply.waitMs, waitMsMax), undefined, signal === undefined ? {} : { signal });
    }
  };
}

interface Attempt {
  readonly result: Result<unknown, string>;
  /** After which another try may succeed; null: none will. */
  readonly waitMs: number | null;
}

function requestOf(
  { model, key }: Pick<ChatOptions, "model" | "key">,
  { instructions, sentence, schema }: ChatQuestion,
  signal: AbortSignal,
): RequestInit {
  const body = {
    model,
    temperature: 0,
    messages: [
      { role: "system", content: instructions },
      { role: "user", content: sentence },
    ],
    response_format: { type: "json_schema", json_schema: { name: "search", strict: true, schema } },
  };
  return postOf(body, key, signal);
}

async function attemptOnce(
  url: string,
  request: RequestInit,
  signal: AbortSignal | undefined,
): Promise<Attempt> {
  const failed = (message: string, waitMs: number | null = null): Attempt => ({
    result: fail(message),
    waitMs,
  });
  try {
    const response = await fetch(url, request);
    const body = await readBody(response, answerBytesMax);
    if (response.status === 429 || response.status >= 500) {
      return failed(`${url} answers ${response.status}`, askedWaitMs(response.headers) ?? waitMsDefault);
    }
    if (response.status !== 200) return failed(`${url} answers ${response.status}`);
    return { result: contentOf(url, body), waitMs: null };
  } catch (error) {
    signal?.throwIfAborted();
    if (request.signal?.aborted) return failed(`${url} gave no answer in time`);
    return failed(`${url} can't be reached, or broke off (${networkCode(error)})`, waitMsDefault);
  }
}

/** `{"choices": [{"message": {"content": "{…}"}}]}`. */
function contentOf(url: string, body: string | null): Result<unknown, string> {
  if (body === null) return fail(`${url} answers with more than ${answerBytesMax} bytes`);
  try {
    const { choices } = JSON.parse(body) as { choices: { message: { content: string } }[] };
    return succeed(JSON.parse((choices[0] as (typeof choices)[number]).message.content));
  } catch {
    return fail(`${url} answers with something else than the JSON it was asked for`);
  }
}
