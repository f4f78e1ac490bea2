import { type HostPattern, MedleyError, parseHostPattern } from "@medley/core";
import { addressProblem } from "./address.ts";
import { Refused, sendBase64 } from "./faults.ts";

const schemePorts: ReadonlyMap<string, number> = new Map([
  ["http:", 80],
  ["https:", 443],
]);

/** The addresses that an operator allows. Nothing is allowed that is not listed. */
export class AllowedHosts {
  readonly #patterns: readonly HostPattern[];

  /** `hosts` as in `ContentSources`. Throws `config_invalid` for what is no pattern, or an address that is never reached. */
  constructor(hosts: readonly string[]) {
    this.#patterns = hosts.map((text) => {
      const pattern = parseHostPattern(text);
      const problem = pattern.ok ? literalProblem(pattern.value) : pattern.failure;
      if (!pattern.ok || problem !== undefined) {
        throw new MedleyError("config_invalid", `from.hosts: ${JSON.stringify(text)} ${problem}`, {
          mend: 'correct or remove it under "from.hosts" of the space',
        });
      }
      return pattern.value;
    });
  }

  /** Throws `Refused` where `url` may not be fetched, whatever its host resolves to. */
  check(url: URL): void {
    const schemePort = schemePorts.get(url.protocol);
    if (schemePort === undefined) {
      throw new Refused(
        `addresses of scheme "${url.protocol.slice(0, 32)}" are not read`,
        "use http or https",
      );
    }
    if (this.#patterns.length === 0) {
      throw new Refused(
        `${hostOf(url)} is not fetched: no host is allowed for this space`,
        `where it can be trusted, add it under "from.hosts" of the space; or ${sendBase64}`,
      );
    }
    if (url.username !== "" || url.password !== "") {
      throw new Refused(
        `the address at ${hostOf(url)} has a user or password`,
        "take them out of the address",
      );
    }
    const host = connectHost(url);
    const port = url.port === "" ? schemePort : Number(url.port);
    const isAllowed = this.#patterns.some(
      (pattern) => matches(pattern, host) && port === (pattern.port ?? schemePort),
    );
    if (!isAllowed) {
      throw new Refused(
        `${hostOf(url)} is not on the list of allowed hosts`,
        `where it can be trusted, add it (with its port, if that is not the scheme's own) under "from.hosts" of the space; or ${sendBase64}`,
      );
    }
  }
}

/** The host as patterns and resolvers see it: without the dot at its end, which means the same name. */
export function connectHost(url: URL): string {
  return url.hostname.replace(/(?<=[^.])\.$/, "");
}

/** For messages: host and port alone, since paths and queries may hold secrets. */
export function hostOf(url: URL): string {
  return url.host.length > 100 ? `${url.host.slice(0, 100)}…` : url.host;
}

function matches({ kind, host }: HostPattern, given: string): boolean {
  return kind === "subdomains" ? given.endsWith(`.${host}`) && given !== `.${host}` : given === host;
}

function literalProblem({ kind, host }: HostPattern): string | undefined {
  if (kind !== "literal" || host === "localhost") return undefined;
  const problem = addressProblem(host.replace(/^\[|\]$/g, ""), { isNamedByItself: true });
  return problem === undefined ? undefined : `is ${problem}, from which nothing is ever read`;
}
