import { expect, test } from "vitest";
import { contentBase64CharsMax, contentOf, parseContent } from "./content.ts";

test.for([
  [{ base64: "aGk=" }, "data:;base64,aGk=", { kind: "bytes", base64: "aGk=" }],
  ["data:image/png;base64,aGk=", "data:image/png;base64,aGk=", { kind: "bytes", base64: "aGk=" }],
  [
    "data:audio/wav;codecs=1;base64,aGk",
    "data:audio/wav;codecs=1;base64,aGk",
    { kind: "bytes", base64: "aGk" },
  ],
  [{ path: "shoes/1 a.jpg" }, "shoes/1 a.jpg", { kind: "path", path: "shoes/1 a.jpg" }],
  ["../1.jpg", "../1.jpg", { kind: "path", path: "../1.jpg" }],
  [{ url: "https://a.b/c?d" }, "https://a.b/c?d", { kind: "url", url: "https://a.b/c?d" }],
  ["HTTP://a.b/c", "HTTP://a.b/c", { kind: "url", url: "HTTP://a.b/c" }],
])("%j is read", ([input, travels, content]) => {
  expect(parseContent(input)).toEqual({ ok: true, value: travels });
  expect(contentOf(travels as string)).toEqual(content);
});

test.for([
  ["", "is an empty string"],
  [5, 'must be {"base64": …}'],
  [{ base64: 5 }, 'must be {"base64": …}'],
  [{ base64: "aGk=", path: "x" }, 'must be {"base64": …}'],
  [{ file: "x" }, 'must be {"base64": …}'],
  [{ url: "x.jpg" }, 'has "x.jpg" as its url, which is none'],
  [{ path: "https://a.b" }, 'has "https://a.b" as its path, which is none'],
  ["ftp://a.b/c.jpg", 'of scheme "ftp"'],
  ["file:///etc/passwd", 'of scheme "file"'],
  ["javascript:alert(1)", 'of scheme "javascript"'],
  ["data:image/png,plain", 'of scheme "data"'],
  ["https://[::1", "no valid address"],
  ["data:;base64,", "has no bytes"],
  ["data:;base64,aG k=", 'has " " at position 2 of its base64'],
  ["data:;base64,aGk=aGk=", 'has "=" at position 3 of its base64'],
  ["data:;base64,aGkab", "breaks off"],
  ["a\u0000b", "contains U+0000"],
  ["x".repeat(3_000), "at most 2048"],
])("%j is refused with the reason", ([input, reason]) => {
  const parsed = parseContent(input);
  expect(parsed.ok ? "accepted" : parsed.failure).toContain(reason);
});

test("megabytes of base64 are read up to the limit, without backtracking", () => {
  const longest = "A".repeat(contentBase64CharsMax);
  expect(parseContent({ base64: longest }).ok).toBe(true);
  expect(parseContent({ base64: `${longest}AAAA` }).ok).toBe(false);
  expect(parseContent({ base64: `${longest.slice(0, -4)}A!AA` }).ok).toBe(false);
});
