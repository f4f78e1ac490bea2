import { BlockList, isIP } from "node:net";

/** RFC 1122 (loopback), RFC 1918 and RFC 4193 (private), RFC 3927 and RFC 4291 (link-local). */
const privateAddresses = new BlockList();
privateAddresses.addSubnet("127.0.0.0", 8, "ipv4");
privateAddresses.addSubnet("10.0.0.0", 8, "ipv4");
privateAddresses.addSubnet("172.16.0.0", 12, "ipv4");
privateAddresses.addSubnet("192.168.0.0", 16, "ipv4");
privateAddresses.addSubnet("169.254.0.0", 16, "ipv4");
privateAddresses.addAddress("::1", "ipv6");
privateAddresses.addSubnet("fc00::", 7, "ipv6");
privateAddresses.addSubnet("fe80::", 10, "ipv6");

/**
 * What keeps an address from being a remote encoder's, each with its mend. A key goes in plain http only to a host that
 * no public name stands for: a loopback, private or link-local address, a name without a dot (`tei` in a Compose network),
 * or one that ends in `.localhost`, `.local` or `.internal`.
 */
export function* remoteAddressProblems(space: {
  readonly url: string;
  readonly keyVariable?: string | undefined;
}): Generator<string> {
  if (!URL.canParse(space.url)) return yield "url is no address; begin it with https:// or http://";
  const url = new URL(space.url);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    yield `url has the scheme "${url.protocol}"; use https: or http:`;
  }
  // The address itself is not shown: its parts may be secrets.
  if (url.username !== "" || url.password !== "") {
    yield "url holds a user name or password; remove it, and name the variable that holds the key with keyVariable";
  }
  if (space.url.includes("?") || space.url.includes("#")) {
    yield 'url has a part after "?" or "#"; end it before, since a path is put after it';
  }
  if (/\/embeddings\/*$/.test(url.pathname)) {
    yield "url ends in /embeddings, which is put after it once more; end it before";
  }
  if (space.keyVariable?.endsWith("_FILE")) {
    yield `keyVariable ${space.keyVariable} ends in _FILE; name it without, the file's variable is then read as well`;
  }
  if (space.keyVariable !== undefined && url.protocol === "http:" && !isPrivateHost(url.hostname)) {
    yield `a key would go to ${url.hostname} in plain http; use https, or leave keyVariable out`;
  }
}

function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  const version = isIP(host);
  if (version !== 0) return privateAddresses.check(host, version === 4 ? "ipv4" : "ipv6");
  return !host.includes(".") || /\.(localhost|local|internal)$/.test(host);
}
