import { isIP, isIPv4 } from "node:net";
import ipaddr from "ipaddr.js";

/**
 * A cloud's own services, which hand out credentials: refused even where their range could be named by itself, or is
 * public. AWS and Google over IPv6, Alibaba, Azure's wire server; what else there is lies in link-local ranges.
 */
const cloudAddresses: ReadonlySet<string> = new Set([
  "fd00:ec2::254",
  "fd20:ce::254",
  "100.100.100.200",
  "168.63.129.16",
]);

/** The ranges that a host named by its address may lie in, besides public ones. */
const privateRanges: ReadonlySet<string> = new Set(["loopback", "private", "carrierGradeNat", "uniqueLocal"]);

/** IPv6 that is in use worldwide (RFC 4291 2.4, IANA's registry of global unicast addresses): 2000::/3. */
const globalUnicast: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("2000::"), 3];
/** NAT64's well-known prefix (RFC 6052): what an IPv6-only network reaches IPv4 by. Its last 32 bits are an IPv4 address. */
const nat64: [ipaddr.IPv6, number] = [ipaddr.IPv6.parse("64:ff9b::"), 96];

/**
 * Why a connection to `address` (as a resolver or `URL.hostname` without brackets writes it) is refused, such as
 * `an address of the range "loopback"`; `undefined` where it is allowed. What a name resolves to must be public: IANA's special-purpose
 * registries (RFC 6890) are refused, and so are addresses that embed others (mapped, 6to4, Teredo), except NAT64 of a public
 * one. `isNamedByItself`: an operator wrote this very address into the configuration, so a private one is meant.
 */
export function addressProblem(
  address: string,
  { isNamedByItself }: { isNamedByItself: boolean },
): string | undefined {
  if (isIP(address) === 0 || address.includes("%")) return "no address without a zone";
  const parsed = isIPv4(address) ? ipaddr.IPv4.parse(address) : ipaddr.IPv6.parse(address);
  if (cloudAddresses.has(parsed.toString())) return "an address of a cloud's own services";
  if (parsed instanceof ipaddr.IPv6 && parsed.match(nat64)) {
    const embedded = ipaddr.fromByteArray(parsed.toByteArray().slice(12)).toString();
    return addressProblem(embedded, { isNamedByItself: false });
  }
  const range = rangeOf(parsed);
  if (range === "unicast" || (isNamedByItself && privateRanges.has(range))) return undefined;
  return `an address of the range "${range}"`;
}

function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string {
  const range = address.range();
  // The library calls unicast whatever is in no list of its own, as IPv4-compatible addresses (::/96).
  const isElsewhere = address instanceof ipaddr.IPv6 && !address.match(globalUnicast);
  return range === "unicast" && isElsewhere ? "reserved" : range;
}
