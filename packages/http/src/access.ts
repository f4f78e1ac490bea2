import { createHash, timingSafeEqual } from "node:crypto";
import { MedleyError } from "@medley/core";
import type { FastifyRequest } from "fastify";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Answered without a token: probes have none. */
    open?: boolean;
  }
}

/** Throws `usage` where anyone on the network could read and write. */
export function checkClosed(options: { host: string; token: string | null }): void {
  if (options.token === "") {
    throw new MedleyError("usage", "the token is empty", { mend: "set a long random one, or none at all" });
  }
  if (options.token === null && !isLoopback(options.host)) {
    throw new MedleyError(
      "usage",
      `listening on "${options.host}" lets the network in, but no token is set`,
      {
        mend: "set a token, or listen on 127.0.0.1",
      },
    );
  }
}

/** What a request must show; throws `forbidden` or `unauthorized`. */
export function accessCheck(options: { host: string; token: string | null }) {
  const onLoopback = isLoopback(options.host);
  const tokenHash = options.token === null ? null : sha256(options.token);
  return (request: FastifyRequest): void => {
    const { host, origin, authorization } = request.headers;
    // A page whose name was re-pointed to 127.0.0.1 (DNS rebinding) still says its own name here.
    if (onLoopback && !isLoopback(host?.replace(/:\d{1,5}$/, ""))) {
      throw new MedleyError("forbidden", "this server answers to loopback names only", {
        mend: "address it as 127.0.0.1 or localhost",
      });
    }
    if (origin !== undefined && hostOf(origin) !== host?.toLowerCase()) {
      throw new MedleyError("forbidden", "web pages of another origin may not use this server");
    }
    if (tokenHash === null || request.routeOptions.config.open) return;
    const given = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
    if (given === undefined || !timingSafeEqual(sha256(given), tokenHash)) {
      throw new MedleyError("unauthorized", "the request carries no valid token", {
        mend: "send the header Authorization: Bearer <token>",
      });
    }
  };
}

function isLoopback(host: string | undefined): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host ?? "");
}

/** Host and port of an origin; `undefined` for `null`, which sandboxed pages send. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
