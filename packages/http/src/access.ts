import { strict as assert } from "node:assert";
import { createHash, timingSafeEqual } from "node:crypto";
import { MedleyError } from "@medley/core";
import type { FastifyRequest } from "fastify";

/** `ingest` sends records, `search` asks for them, `operate` reads status and metrics. */
export const scopes = ["ingest", "search", "operate"] as const;
export type Scope = (typeof scopes)[number];

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a token must have for this route; `open`: none is asked for, since probes have none. Every route says it. */
    scope?: Scope | "open";
  }
  interface FastifyRequest {
    /** The collections that its token is for; null: all of them. */
    reach: AccessToken["collections"];
  }
}

/** A token by its hash: whoever reads the configuration can't use it. */
export interface AccessToken {
  /** For messages; unique. */
  readonly name: string;
  /** Of the token's UTF-8 bytes, hex. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  /** Null: all of them. */
  readonly collections: readonly string[] | null;
}

/** Throws `usage` where anyone on the network could read and write. */
export function checkClosed(options: { host: string; tokens: readonly AccessToken[] }): void {
  if (options.tokens.length > 0 || isLoopback(options.host)) return;
  throw new MedleyError("usage", `listening on "${options.host}" lets the network in, but no token is set`, {
    mend: "set a token, or listen on 127.0.0.1",
  });
}

/**
 * What a request must show; throws `unauthorized` where it shows no token that is known, `forbidden` where the token does
 * not reach so far. Where no tokens are set, all of loopback may do everything.
 */
export function accessCheck(options: { host: string; tokens: readonly AccessToken[] }) {
  const onLoopback = isLoopback(options.host);
  const known = options.tokens.map((token) => ({ token, hash: Buffer.from(token.sha256, "hex") }));
  assert(known.every(({ hash }) => hash.length === 32));
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
    const { scope } = request.routeOptions.config;
    if (known.length === 0 || scope === "open") return;
    const given = createHash("sha256").update(bearerOf(authorization)).digest();
    // All are compared, each in constant time: how long it takes says nothing about any of them.
    const [match] = known.filter(({ hash }) => timingSafeEqual(given, hash));
    if (match === undefined) {
      throw new MedleyError("unauthorized", "the request carries no valid token", {
        mend: "send the header Authorization: Bearer <token>",
      });
    }
    checkReach(match.token, scope, (request.params as { name?: string } | undefined)?.name);
    request.reach = match.token.collections;
  };
}

/** `scope` is absent where no route was found: that is told to anyone with a token. */
function checkReach(token: AccessToken, scope: Scope | undefined, collection: string | undefined): void {
  if (scope !== undefined && !token.scopes.includes(scope)) {
    throw new MedleyError("forbidden", `the token "${token.name}" lacks the scope "${scope}"`, {
      mend: `it has: ${token.scopes.join(", ")}`,
    });
  }
  const { collections } = token;
  if (collections !== null && collection !== undefined && !collections.includes(collection)) {
    throw new MedleyError("forbidden", `the token "${token.name}" is not for this collection`, {
      mend: `it is for: ${collections.join(", ")}`,
    });
  }
}

/** Empty where there is none, which is no token's text. */
function bearerOf(authorization: string | undefined): string {
  return /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
}

function isLoopback(host: string | undefined): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host ?? "");
}

/** Host and port of an origin; `undefined` for `null`, which sandboxed pages send. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
