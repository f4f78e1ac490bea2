import { createHash, randomBytes } from "node:crypto";
import { MedleyError } from "@medley/core";
import { type AccessToken, type Scope, scopes } from "@medley/http";

const variable = "MEDLEY_TOKENS";
const example =
  '[{"name": "shop", "sha256": "<64 hex digits>", "scopes": ["ingest"], "collections": ["films"]}]; medley token makes one';

/** What `MEDLEY_TOKEN` is: it may do everything. */
export function masterToken(token: string): AccessToken {
  if (token === "") {
    throw new MedleyError("usage", "the token is empty", { mend: "set a long random one, or none at all" });
  }
  return { name: "MEDLEY_TOKEN", sha256: sha256(token), scopes, collections: null };
}

/** Reads the JSON of `MEDLEY_TOKENS`. Throws `usage`, which tells names and places but nothing that is secret. */
export function parseAccessTokens(text: string): readonly AccessToken[] {
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw invalid("it is not JSON");
  }
  if (!Array.isArray(list)) throw invalid("it is no list");
  const tokens = list.map(parseToken);
  const twice = tokens.find(({ name }, at) => tokens.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined) throw invalid(`two tokens are called "${twice.name}"`);
  return tokens;
}

function parseToken(value: unknown, at: number): AccessToken {
  const where = `token ${at + 1}`;
  if (typeof value !== "object" || value === null) throw invalid(`${where} is no object`);
  const { name, sha256: hash, token, scopes: given, collections, ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(`${where} has an unknown key`);
  if (typeof name !== "string" || !/^[\w.-]{1,64}$/.test(name)) {
    throw invalid(`${where} needs a name of letters, digits and _.-`);
  }
  return {
    name,
    sha256: hashOf(name, { hash, token }),
    scopes: scopesOf(name, given),
    collections: collectionsOf(name, collections, given),
  };
}

function hashOf(name: string, { hash, token }: { hash: unknown; token: unknown }): string {
  if ((hash === undefined) === (token === undefined)) throw invalid(`"${name}" needs either sha256 or token`);
  if (token !== undefined) {
    if (typeof token !== "string" || !/^\S+$/.test(token)) {
      throw invalid(`the token of "${name}" must be text without spaces`);
    }
    return sha256(token);
  }
  if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash) || hash === sha256("")) {
    throw invalid(`the sha256 of "${name}" must be that of its token in 64 lower-case hex digits`);
  }
  return hash;
}

function scopesOf(name: string, given: unknown): readonly Scope[] {
  const known: readonly unknown[] = scopes;
  if (Array.isArray(given) && given.length > 0 && given.every((scope) => known.includes(scope))) return given;
  throw invalid(`the scopes of "${name}" must be some of ${scopes.join(", ")}`);
}

function collectionsOf(name: string, given: unknown, itsScopes: unknown): readonly string[] | null {
  if (given === undefined) return null;
  if (!Array.isArray(given) || given.length === 0 || !given.every((one) => typeof one === "string")) {
    throw invalid(`the collections of "${name}" must be a list of names, or left out for all`);
  }
  // Status and metrics are those of the whole deployment.
  if ((itsScopes as readonly Scope[]).includes("operate")) {
    throw invalid(`"${name}" is for some collections, but the scope "operate" reaches all of them`);
  }
  return given;
}

function invalid(problem: string): MedleyError {
  return new MedleyError("usage", `${variable}: ${problem}`, { mend: `it looks like ${example}` });
}

/** 256 bits, with a prefix by which scanners find those that were published by accident. */
export function newToken(): { readonly token: string; readonly sha256: string } {
  const token = `medley_${randomBytes(32).toString("base64url")}`;
  return { token, sha256: sha256(token) };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
