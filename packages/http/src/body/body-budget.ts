import { MedleyError } from "@medley/core";
import type { FastifyReply, FastifyRequest } from "fastify";

/**
 * Bounds the bytes of all bodies in hand together (promise P5): a body over the rest of the budget is refused with
 * `overloaded` before it is read. A body of unknown length counts as the largest one allowed. State: bytes in hand.
 */
export class BodyBudget {
  readonly #bodyBytesMax: number;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(options: { bodyBytesMax: number; bytesMax: number }) {
    this.#bodyBytesMax = options.bodyBytesMax;
    this.#bytesMax = options.bytesMax;
  }

  /** Held until the answer is out or the connection gone. */
  reserve(request: FastifyRequest, reply: FastifyReply): void {
    const { "content-length": length, "transfer-encoding": transferEncoding } = request.headers;
    const announced = transferEncoding === undefined ? Number(length ?? 0) : this.#bodyBytesMax;
    // A larger one is refused by the body limit, unread.
    const bytes = Math.min(announced, this.#bodyBytesMax);
    if (this.#bytes + bytes > this.#bytesMax) {
      throw new MedleyError("overloaded", "the requests in hand fill the memory set aside for them", {
        mend: "send again in a moment, in fewer requests at once",
      });
    }
    this.#bytes += bytes;
    reply.raw.once("close", () => {
      this.#bytes -= bytes;
    });
  }
}
