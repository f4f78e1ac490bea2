import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/**
 * An embeddings endpoint (OpenAI's protocol, four dimensions) that can be told to keep its callers waiting. Texts with
 * "refused" it refuses, and quotes them and the key in its answer, as some do.
 */
export class EmbeddingsEndpoint implements AsyncDisposable {
  /** Requests that have come. */
  requests = 0;
  #released = Promise.withResolvers<void>();
  readonly #server = createServer(async (request, response) => {
    const { input } = (await json(request)) as { input: string[] };
    this.requests += 1;
    await this.#released.promise;
    response.setHeader("content-type", "application/json");
    if (input.some((text) => text.includes("refused"))) {
      const message = `key ${request.headers.authorization} can't embed ${input.join()}`;
      response.writeHead(400).end(JSON.stringify({ error: { message } }));
      return;
    }
    const data = input.map((text, index) => ({ index, embedding: [1, text.length, text.length % 7, 0.5] }));
    response.end(JSON.stringify({ data }));
  });

  static async open(): Promise<EmbeddingsEndpoint> {
    const endpoint = new EmbeddingsEndpoint();
    endpoint.release();
    endpoint.#server.listen(0, "127.0.0.1");
    await once(endpoint.#server, "listening");
    return endpoint;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** A configuration whose one collection, `notes`, needs this endpoint. */
  get config(): object {
    const about = { encoder: "remote", field: "about", url: this.url, model: "m", dimensions: 4 };
    const fields = { about: "text", price: "number" };
    const spaces = {
      about: { ...about, keyVariable: "NOTES_KEY" },
      price: { encoder: "number", field: "price", range: [0, 100] },
    };
    return { collections: { notes: { fields, spaces } } };
  }

  hold(): void {
    this.#released = Promise.withResolvers();
  }
  release(): void {
    this.#released.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
