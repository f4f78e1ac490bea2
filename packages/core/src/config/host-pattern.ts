import { fail, type Result, succeed } from "../result.ts";

/** Which hosts addresses of pictures and clips may name: one entry of `ContentSources.hosts`, parsed. */
export interface HostPattern {
  /**
   * `name`: that host alone. `subdomains`: every name below `host`, at any depth, but not `host` itself.
   * `literal`: an IP address or `localhost`, named by itself, so that a private one is meant.
   */
  readonly kind: "name" | "subdomains" | "literal";
  /** As `URL.hostname` writes it: lower case, punycode, IPv6 in brackets; without a dot at its end. */
  readonly host: string;
  /** `null`: the scheme's own, 80 or 443. */
  readonly port: number | null;
}

const form = /^(\*\.)?(\[[0-9a-f:.]+\]|[^\s:/?#@\\[\]%*]+)(?::([0-9]{1,5}))?$/i;
const ipv4 = /^\d+\.\d+\.\d+\.\d+$/;

/** Parses `images.example.com`, `*.example.com`, `localhost:8080`, `10.0.0.5`, `[fd00::5]:9000`, or says what is wrong with it and the mend. */
export function parseHostPattern(text: string): Result<HostPattern, string> {
  const [, wildcard, given, portDigits] = form.exec(text) ?? [];
  if (given === undefined) {
    return fail(
      'is no host; write "images.example.com", "*.example.com" or "localhost:8080", without scheme, user or path',
    );
  }
  const port = portDigits === undefined ? null : Number(portDigits);
  if (port === 0 || (port !== null && port > 65_535)) return fail(`has port ${port}; ports are 1 to 65535`);
  const host = hostnameOf(given);
  const labels = host?.split(".") ?? [];
  if (host === undefined || labels.includes("")) return fail("is no valid host name; correct it");
  const isAddress = host.startsWith("[") || ipv4.test(host);
  // Other spellings of an address (octal, hexadecimal, one number) are refused, lest one be taken for another.
  if (isAddress && !host.startsWith("[") && host !== given) {
    return fail(`is another spelling of ${host}; write that`);
  }
  if (isAddress || host === "localhost") {
    if (wildcard !== undefined) return fail('has "*" before an address; name each address by itself');
    return succeed({ kind: "literal", host, port });
  }
  if (labels.length === 1) {
    return wildcard === undefined
      ? fail(
          "is a name of one label, which only leads to private addresses, and those are refused; name the address itself, as in 10.0.0.5:9000",
        )
      : fail(`would let a whole top-level domain in; name yours, as in "*.example.${host}"`);
  }
  return succeed({ kind: wildcard === undefined ? "name" : "subdomains", host, port });
}

/** Without a dot at its end: `example.com.` is `example.com`. `undefined` where it is no host. */
function hostnameOf(text: string): string | undefined {
  const url = `http://${text}/`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/(?<=[^.])\.$/, "") : undefined;
}
