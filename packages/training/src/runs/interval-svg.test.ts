import { expect, test } from "vitest";
import { intervalSvg } from "./interval-svg.ts";

test("a row per interval, at places in the order of their figures, with names that can't leave their element", () => {
  const row = { mean: 0.5, low: 0.4, high: 0.6, isChosen: false };
  const rows = [
    { ...row, name: 'a <b> & "c"' },
    { ...row, name: "words", mean: 0.9, low: 0.8, high: 1, isChosen: true },
  ];
  const picture = intervalSvg("genre", rows, 0.2);
  expect(picture).toContain("a &#60;b&#62; &#38; &#34;c&#34;");
  const centres = [...picture.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
  const [base] = [...picture.matchAll(/<line x1="([\d.]+)"[^>]*dasharray/g)].map(([, x]) => Number(x));
  expect(centres).toHaveLength(2);
  expect(base).toBeLessThan(centres[0] as number);
  expect(centres[0]).toBeLessThan(centres[1] as number);
});
