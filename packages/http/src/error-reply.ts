import { errorTable, MedleyError } from "@medley/core";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { bodyFormats } from "./body/body.ts";
import { retryAfterSeconds } from "./retry-after.ts";

/** What is left of a refused body is read and dropped up to here; a longer one is cut off. */
const discardedBytesMax = 2 ** 28;

/** Answers `{error: {code, message, mend?}}`. Of unknown errors neither the client nor the log learns the content. */
export function replyError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const known = error instanceof MedleyError ? error : medleyErrorOf(error as Partial<FastifyError>);
  const status = known === null ? 500 : errorTable[known.code].httpStatus;
  const code = known?.code ?? "internal";
  if (status >= 500) request.log.error({ code }, "request failed");
  if (status === 401) reply.header("www-authenticate", "Bearer");
  // Whoever knows better has set it.
  if (known?.retryable && !reply.hasHeader("retry-after")) {
    const { unavailable, briefly } = retryAfterSeconds;
    reply.header("retry-after", /_unavailable$/.test(known.code) ? unavailable : briefly);
  }
  if (isOfBody(error) && Number(request.headers["content-length"] ?? 0) <= discardedBytesMax) {
    // Fastify would close the connection, and a client in the middle of sending would meet that in place of its answer. A body
    // that never ends is cut off by the request's timeout.
    reply.removeHeader("connection");
  }
  const message = known?.message ?? `an error inside the server; its log names request ${request.id}`;
  const mend = known?.mend;
  reply.code(status).send({ error: { code, message, ...(mend === undefined ? {} : { mend }) } });
}

export function replyNotFound(request: FastifyRequest, reply: FastifyReply): void {
  const mend = "check the method and the path; they begin with /v1/";
  replyError(new MedleyError("not_found", "there is no such route", { mend }), request, reply);
}

/** Of fastify's reading of a body. */
function isOfBody(error: unknown): boolean {
  return /^FST_ERR_CTP_/.test(String((error as Partial<FastifyError>).code));
}

/** What fastify itself refuses, in our words. */
function medleyErrorOf(error: Partial<FastifyError>): MedleyError | null {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new MedleyError("body_too_large", "the body is over the limit", {
        mend: "send fewer records a request",
      });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new MedleyError(
        "media_type_unsupported",
        "the Content-Type is missing or not one that is read",
        {
          mend: `use one of ${Object.keys(bodyFormats).join(", ")}`,
        },
      );
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new MedleyError("body_malformed", "the body is not as long as its Content-Length says");
    case "FST_ERR_BAD_URL":
      return new MedleyError("usage", "the path is not valid percent-encoding");
    default:
      return null;
  }
}
