import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

/** JSON lines (gzip where the name ends in .gz): the first text of `plot`, `text` or `title` of every line. */
export function textsOfFile(path: string, textsMax: number): string[] {
  const bytes = readFileSync(path);
  const lines = (path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8").split("\n");
  const texts = lines.filter((line) => line !== "").map((line) => textOf(JSON.parse(line)));
  const step = Math.max(1, Math.floor(texts.length / textsMax)); // Spread over the whole file: it may be sorted.
  return texts.filter((text, index) => text !== "" && index % step === 0).slice(0, textsMax);
}

function textOf(record: Record<string, unknown>): string {
  return String(record.plot ?? record.text ?? record.title ?? "");
}

const odd = [
  "a",
  "I",
  "?",
  "!!!",
  "...",
  "0",
  "42",
  "3.14159",
  "-1,234,567.89 €",
  "2023-11-24T00:42:17.123Z",
  "1e-9 1e9 NaN Infinity",
  "10.0.0.1:8080 fe80::1%eth0",
  "550e8400-e29b-41d4-a716-446655440000",
  "https://example.org/a/b?c=d&e=%20f#g",
  "someone@example.org",
  "const f = (x) => x ** 2; // square",
  "SELECT id, sum(price) FROM orders WHERE year >= 2020 GROUP BY id HAVING count(*) > 3;",
  "for (int i = 0; i < n; ++i) { a[i] += b[i] * c; }",
  "def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)",
  '{"id": 17, "tags": ["red", "blue"], "nested": {"ok": true, "none": null}}',
  "<html><body><h1>Hello</h1><p>World &amp; more</p></body></html>",
  "\\frac{\\partial f}{\\partial x} = \\lim_{h \\to 0} \\frac{f(x+h)-f(x)}{h}",
  "🙂",
  "🎬🍿👍🏽",
  "👩‍👩‍👧‍👦 family day out 🏖️",
  "I ❤️ this film 🎉🎉🎉",
  "東京は日本の首都です。",
  "北京是中华人民共和国的首都",
  "서울은 대한민국의 수도이다",
  "Москва — столица России",
  "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας",
  "القاهرة عاصمة مصر",
  "ירושלים",
  "नई दिल्ली भारत की राजधानी है",
  "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
  "Été à Orléans : le naïf cœur d'un garçon",
  "Größe, Maß und Übermut",
  "Zażółć gęślą jaźń",
  "Trường đại học Việt Nam",
  "ﬁle ﬂuﬀy ½ ① ℌello ｆｕｌｌｗｉｄｔｈ",
  "Z̷̢̛a̶l̵g̸o̴ t̶e̵x̷t̸",
  "a\u0000b\u200bc\ufeffd\u00ade",
  "tabs\tand\nnew\r\nlines   and    runs",
  "ALL CAPITALS SHOUTING AT YOU",
  "cAmElCaSe snake_case kebab-case PascalCase",
  "Pneumonoultramicroscopicsilicovolcanoconiosis",
  "antidisestablishmentarianism floccinaucinihilipilification",
  "[CLS] [SEP] [MASK] [PAD] [UNK]",
  "the the the the the the the the the the",
  "buffalo buffalo Buffalo buffalo",
  "not good",
  "good",
  "A very short film.",
  "$AAPL up 3.2% after hours; EPS $1.52 vs $1.43 est.",
  "CC(=O)OC1=CC=CC=C1C(=O)O",
  "ACGTACGTTAGCCGATAGCTAGCTTAGGCATCGA",
  "e4 e5 Nf3 Nc6 Bb5 a6 Ba4 Nf6 O-O Be7",
  "Mix two eggs, 200 g flour and a pinch of salt; bake 25 min at 180 °C.",
  "Patient reports dyspnoea; SpO2 91%, RR 24/min, BP 135/85 mmHg.",
  "The party of the first part shall indemnify and hold harmless the party of the second part.",
];

/**
 * Texts that are far from plots: one word to hundreds, languages the model hardly knows, emoji, code, numbers,
 * control characters. The same list every time.
 */
export function oddTexts(plots: readonly string[]): string[] {
  const texts = [...odd];
  texts.push("x".repeat(150), "word ".repeat(300), "1 2 3 4 5 6 7 8 9 ".repeat(40), "漢字".repeat(120));
  texts.push(odd.join(" "), "🙂 ".repeat(64), "(){}[];,.".repeat(30));
  for (let length = 1; length <= 40; length++) {
    const plot = plots[(length * 7) % plots.length] ?? "";
    texts.push(plot.split(" ").slice(0, length).join(" "));
    texts.push(
      [...plot]
        .reverse()
        .join("")
        .slice(0, length * 8),
    ); // Words no vocabulary holds.
  }
  for (let start = 0; start + 8 <= plots.length && start < 160; start += 8) {
    texts.push(plots.slice(start, start + 8).join(" ")); // Longer than the model reads.
  }
  return texts;
}
