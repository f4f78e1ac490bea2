import { BlockList, isIPv6 } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addressProblem } from "./address.ts";

/** By themselves, not by the library: RFC 6890's registries, and what brings one address inside another. */
const forbidden4 =
  "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32 168.63.129.16/32".split(
    " ",
  );
const forbidden6 =
  "::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 2001::/32 2001:2::/48 2001:db8::/32 2001:10::/28 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8 4000::/2 8000::/1".split(
    " ",
  );

/** Its value, and that of a mask of `bits` from the left. */
const value4 = (text: string) => text.split(".").reduce((sum, part) => sum * 256n + BigInt(part), 0n);
const value6 = (text: string) => {
  const [head = "", tail] = text.split("::") as [string, string | undefined];
  const groups = (side: string) => (side === "" ? [] : side.split(":").map((group) => BigInt(`0x${group}`)));
  const [left, right] = [groups(head), groups(tail ?? "")];
  const zeros = Array<bigint>(8 - left.length - right.length).fill(0n);
  return [...left, ...zeros, ...right].reduce((sum, group) => sum * 65_536n + group, 0n);
};
const inRange = (cidr: string, bits: number, value: (text: string) => bigint) => {
  const [base, length] = cidr.split("/") as [string, string];
  const free = 1n << BigInt(bits - Number(length));
  return fc.bigInt({ min: 0n, max: free - 1n }).map((offset) => value(base) + offset);
};
const any4 = fc.constantFrom(...forbidden4).chain((cidr) => inRange(cidr, 32, value4));
const any6 = fc.constantFrom(...forbidden6).chain((cidr) => inRange(cidr, 128, value6));

const octets = (value: bigint) => [24n, 16n, 8n, 0n].map((shift) => Number((value >> shift) & 255n));
const dotted = (value: bigint) => octets(value).join(".");
const groups6 = (value: bigint) =>
  Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 65_535n).toString(16));

/** What `URL` takes for an IPv4 address: each part decimal, octal or hexadecimal, the last ones as one number. */
const spelling4 = (value: bigint) =>
  fc
    .tuple(
      fc.integer({ min: 1, max: 4 }),
      fc.array(fc.constantFrom(10, 8, 16), { minLength: 4, maxLength: 4 }),
      fc.boolean(),
    )
    .map(([parts, bases, hasDot]) => {
      const lead = octets(value).slice(0, parts - 1);
      const last = value & ((1n << BigInt(8 * (5 - parts))) - 1n);
      const written = [...lead.map(BigInt), last].map((part, i) => {
        const prefix = { 10: "", 8: "0", 16: "0X" }[bases[i] as 8 | 10 | 16];
        return prefix + part.toString(bases[i]);
      });
      return written.join(".") + (hasDot ? "." : "");
    });

/** All groups or the longest run of zeros left out, either case, leading zeros, the end dotted. */
const spelling6 = (value: bigint) =>
  fc
    .record({ pads: fc.boolean(), upper: fc.boolean(), short: fc.boolean(), ends: fc.boolean() })
    .map((style) => {
      let groups = groups6(value).map((group) => (style.pads ? group.padStart(4, "0") : group));
      if (style.ends) groups = [...groups.slice(0, 6), dotted(value & 0xffff_ffffn)];
      let text = groups.join(":");
      if (style.short)
        text = text
          .replace(/(^|:)0+(:0+)+(?=:|$)/, (run) => (run.startsWith(":") ? ":" : "::"))
          .replace(/^::?:/, "::");
      if (style.short && /[^:]:$/.test(text)) text += ":";
      return style.upper ? text.toUpperCase() : text;
    });

/** An IPv4 address inside an IPv6 one. */
const embedding = fc.constantFrom<(value: bigint) => bigint>(
  (v) => v,
  (v) => value6("::ffff:0:0") + v,
  (v) => value6("::ffff:0:0:0") + v,
  (v) => value6("64:ff9b::") + v,
  (v) => value6("64:ff9b:1::") + v,
  (v) => value6("2002::") + (v << 80n) + 1n,
  (v) => value6("2001::") + (v << 64n), // Teredo's server.
  (v) => value6("2001::") + (v ^ 0xffff_ffffn), // Teredo's client.
);

const asUrlWritesIt = (host: string) => new URL(`http://${host}/`).hostname.replace(/^\[|\]$/g, "");

describe("no forbidden address passes", () => {
  test("IPv4 in any spelling", () => {
    fc.assert(
      fc.property(
        any4.chain((value) => fc.tuple(fc.constant(value), spelling4(value))),
        ([value, text]) => {
          expect(asUrlWritesIt(text)).toBe(dotted(value)); // Else the spelling would not be one.
          expect(addressProblem(asUrlWritesIt(text), { isNamedByItself: false })).toBeDefined();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("IPv6 in any spelling, as a resolver or an address writes it", () => {
    fc.assert(
      fc.property(
        any6.chain((value) => fc.tuple(fc.constant(value), spelling6(value))),
        ([value, text]) => {
          expect(isIPv6(text)).toBe(true);
          expect(value6(asUrlWritesIt(`[${text}]`))).toBe(value);
          for (const written of [text, asUrlWritesIt(`[${text}]`)]) {
            expect(addressProblem(written, { isNamedByItself: false })).toBeDefined();
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("forbidden IPv4 inside IPv6", () => {
    fc.assert(
      fc.property(
        fc.tuple(any4, embedding).chain(([value, embed]) => spelling6(embed(value))),
        (text) => {
          expect(addressProblem(text, { isNamedByItself: false })).toBeDefined();
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test("what names may lead to lies outside of Node's own block list", () => {
    const list = new BlockList();
    for (const [cidrs, family] of [
      [forbidden4, "ipv4"],
      [forbidden6.filter((cidr) => cidr !== "::ffff:0:0/96"), "ipv6"],
    ] as const) {
      for (const cidr of cidrs) {
        const [base, length] = cidr.split("/") as [string, string];
        list.addSubnet(base, Number(length), family);
      }
    }
    const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(anyAddress, (text) => {
        const isAllowed = addressProblem(text, { isNamedByItself: false }) === undefined;
        if (isAllowed) expect(list.check(text, isIPv6(text) ? "ipv6" : "ipv4")).toBe(false);
      }),
      { numRuns: 5_000 },
    );
  });
});

test.for([
  ["93.184.215.14", true, true],
  ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", true, true],
  ["64:ff9b::93.184.215.14", true, true],
  ["64:ff9b::10.0.0.1", false, false],
  ["64:ff9b::168.63.129.16", false, false],
  ["::ffff:93.184.215.14", false, false],
  ["9.255.255.255", true, true],
  ["10.0.0.0", false, true],
  ["10.255.255.255", false, true],
  ["11.0.0.0", true, true],
  ["172.15.255.255", true, true],
  ["172.16.0.0", false, true],
  ["172.31.255.255", false, true],
  ["172.32.0.0", true, true],
  ["100.63.255.255", true, true],
  ["100.64.0.0", false, true],
  ["100.127.255.255", false, true],
  ["100.128.0.0", true, true],
  ["127.0.0.1", false, true],
  ["::1", false, true],
  ["fd00::5", false, true],
  ["192.168.1.1", false, true],
  ["169.254.169.254", false, false],
  ["169.254.170.2", false, false],
  ["fe80::1", false, false],
  ["fe80::1%eth0", false, false],
  ["fd00:ec2::254", false, false],
  ["FD00:EC2:0::254", false, false],
  ["fd20:ce::254", false, false],
  ["100.100.100.200", false, false],
  ["168.63.129.16", false, false],
  ["192.0.0.192", false, false],
  ["0.0.0.0", false, false],
  ["::", false, false],
  ["224.0.0.1", false, false],
  ["ff02::1", false, false],
  ["255.255.255.255", false, false],
  ["::ffff:127.0.0.1", false, false],
  ["::127.0.0.1", false, false],
  ["127.1", false, false],
  ["2130706433", false, false],
  ["localhost", false, false],
  ["", false, false],
] as const)("%s: reached by a name: %s, by itself: %s", ([address, byName, byItself]) => {
  expect(addressProblem(address, { isNamedByItself: false }) === undefined).toBe(byName);
  expect(addressProblem(address, { isNamedByItself: true }) === undefined).toBe(byItself);
});
