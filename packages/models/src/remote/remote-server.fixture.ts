import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { EncodeResult, Fields, RemoteSpace } from "@medley/core";
import { Accounts } from "./account.ts";
import { openRemoteEncoder, type RemoteEncoderEnvironment } from "./open-remote-encoder.ts";
import { PassingTime } from "./passing-time.fixture.ts";

export const dimensions = 8;

export interface EmbeddingsRequest {
  readonly model: string;
  readonly input: readonly string[];
  readonly encoding_format: "float" | "base64";
  readonly dimensions?: number;
}
export interface Received {
  readonly body: EmbeddingsRequest;
  readonly headers: IncomingHttpHeaders;
  readonly path: string;
}
/** Answers a request in the endpoint's stead; returns false to leave it to the endpoint. */
export type Behaviour = (response: ServerResponse, received: Received, nth: number) => unknown;

/** A text's vector as the server gives it: eight floats of its hash, of no particular length. */
export function rawVector(text: string): Float32Array {
  const bytes = createHash("sha256").update(text).digest();
  return Float32Array.from({ length: dimensions }, (_, i) => bytes.readInt32LE(i * 4) / 2 ** 30);
}

/** The segment that must come of it. */
export function segmentOf(text: string): Float32Array {
  const raw = rawVector(text);
  const length = Math.hypot(...raw);
  return raw.map((x) => x / length);
}

export interface Entry {
  index: unknown;
  embedding: unknown;
}
export interface Answer {
  data: Entry[];
  usage?: { total_tokens: number };
}

/** What an honest endpoint answers; one token a text. */
export function honest({ input, encoding_format: format }: EmbeddingsRequest): Answer {
  const entry = (text: string, index: number): Entry => {
    const vector = rawVector(text);
    const base64 = () => Buffer.from(vector.buffer).toString("base64");
    return { index, embedding: format === "base64" ? base64() : Array.from(vector) };
  };
  return { data: input.map(entry), usage: { total_tokens: input.length } };
}

export function sendJson(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

/** Answers honestly but for what `change` does to it. */
export function altered(change: (answer: Answer, received: Received) => void): Behaviour {
  return (response, received) => {
    const answer = honest({ ...received.body, encoding_format: "float" });
    change(answer, received);
    sendJson(response, answer);
  };
}

/** A real HTTP server that speaks OpenAI's `/v1/embeddings`, until `behaviour` has it do something else. */
export class RemoteServer implements AsyncDisposable {
  readonly received: Received[] = [];
  behaviour: Behaviour = () => false;
  inFlight = 0;
  inFlightMax = 0;
  readonly #server = createServer(async (request, response) => {
    this.inFlight += 1;
    this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
    response.once("close", () => {
      this.inFlight -= 1;
    });
    request.setEncoding("utf8");
    let text = "";
    for await (const chunk of request) text += chunk;
    const received = { body: JSON.parse(text), headers: request.headers, path: request.url as string };
    const nth = this.received.push(received);
    if ((await this.behaviour(response, received, nth)) === false) sendJson(response, honest(received.body));
  });

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }
  /** The texts of each request, in order of arrival. */
  get batches(): (readonly string[])[] {
    return this.received.map(({ body }) => body.input);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }
}

/** A server, and encoders of it on accounts of their own, in time that passes at once. */
export async function openRemote() {
  const server = await new RemoteServer().open();
  const time = new PassingTime();
  const accounts = new Accounts(time);
  const open = (
    space: Partial<Omit<RemoteSpace<Fields>, "encoder" | "field">> = {},
    environment: RemoteEncoderEnvironment["environment"] = {},
  ) =>
    openRemoteEncoder(
      { encoder: "remote", field: [] as never, url: server.url, model: "hash-8", dimensions, ...space },
      { environment, accounts, random: () => 0.5 },
    );
  return { server, time, accounts, open, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

export const codes = (results: readonly EncodeResult[]) =>
  results.map((result) => (result.ok ? "ok" : result.failure.code));
export const messageOf = (result: EncodeResult | undefined) =>
  result === undefined || result.ok ? "no failure" : result.failure.message;
export const numbered = (n: number) => Array.from({ length: n }, (_, i) => `text ${i}`);
