import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { titleVector, unreadableTitle } from "./content.ts";

/** Speaks OpenAI's `/v1/embeddings`: a text's vector follows from the text. It refuses unreadable ones, and can be made to fail. */
export class StubEncoder implements AsyncDisposable {
  readonly #server: Server;
  #stalledUntilMs = 0;
  #failingUntilMs = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
  }

  static async open(): Promise<StubEncoder> {
    const stub = new StubEncoder();
    await new Promise<void>((resolve) => stub.#server.listen(0, "127.0.0.1", resolve));
    return stub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Answers nothing for a while. */
  stall(ms: number): void {
    this.#stalledUntilMs = Date.now() + ms;
  }

  /** Answers 503 for a while. */
  fail(ms: number): void {
    this.#failingUntilMs = Date.now() + ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { input } = (await json(request)) as { input: readonly string[] };
    const stalledMs = this.#stalledUntilMs - Date.now();
    if (stalledMs > 0) await sleep(stalledMs);
    response.setHeader("content-type", "application/json");
    if (Date.now() < this.#failingUntilMs) {
      response.writeHead(503).end(JSON.stringify({ error: { message: "overloaded" } }));
    } else if (input.some((text) => text.startsWith(unreadableTitle))) {
      response.writeHead(400).end(JSON.stringify({ error: { code: "invalid_request_error" } }));
    } else {
      const data = input.map((text, index) => ({ index, embedding: base64Of(titleVector(text)) }));
      response.end(JSON.stringify({ data, usage: { total_tokens: 4 * input.length } }));
    }
  }
}

function base64Of(vector: Float32Array): string {
  return Buffer.from(vector.buffer).toString("base64");
}
