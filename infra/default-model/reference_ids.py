"""Writes the token ids that Hugging Face's own (Rust) tokenizer gives to odd strings, cut at 256 tokens:

    pip install tokenizers==0.23.3
    python infra/default-model/reference_ids.py tokenizer.json > packages/models/src/text/reference-ids.jsonl

The strings are the same every time. `text` is repeated `times` times; `ids` are separated by spaces.
"""

import json
import random
import sys

from tokenizers import Tokenizer

TOKENS_MAX = 256

plain = [
    "", " ", "\n", "\t \r\n ", "\u00a0", "\u2003\u3000", "a", "A", "?", "...", "!!!", "'", "''", "`", "\\", "\\n",
    "hello world", "Hello, World!", "HELLO", "don't can't won't I'll you've", "it's 5 o'clock", "rock 'n' roll",
    "naïve café résumé Ångström", "cafe\u0301", "e\u0301\u0302\u0303", "\u0301", " \u0301a", "ÀÉÎÕÜ ñ ç ø œ æ ß ẞ",
    "İstanbul ıi Iİ", "ΑΒΓ αβγ ΣΑΣ ς", "Москва Ёлка Йод", "їжак", "ірина", "日本語テスト", "東京は日本の首都です。",
    "ｶﾀｶﾅ がぎぐ か\u3099", "한국어 텍스트", "\u1112\u1161\u11ab", "中文,标点。《书》", "繁體字", "漢字kanji混在",
    "𠀀𠀁𪚥", "\U0002f800", "豈\uf900", "العربية نص", "مُحَمَّد", "עברית שָׁלוֹם", "हिन्दी परीक्षण", "தமிழ்", "ภาษาไทย",
    "ქართული", "Հայերեն", "አማርኛ", "Tiếng Việt", "Zażółć gęślą jaźń", "Příliš žluťoučký kůň", "șțȘȚ", "ǅ ǆ Ǆ",
    "ﬁ ﬂ ﬀ ﬃ", "½ ⅓ ② ⑳ Ⅻ", "ℌ ℵ ℝ ™ © ® ℠", "ｆｕｌｌｗｉｄｔｈ １２３", "x² y³ H₂O", "a\u00adb", "a\u200bb", "a\u200cb\u200dc",
    "a\u2060b", "\ufeffa\ufeff", "a\u0000b", "\u0000", "\u0001\u0002\u001f", "a\u0007b\u0008c", "a\u007fb",
    "a\u0085b", "a\u2028b\u2029c", "a\u202eb\u202c", "\ufffd", "a\ufffdb", "\ue000 \uf8ff", "\U000e0041", "\U0010ffff",
    "🙂", "🙂🙃", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇫🇷", "1️⃣2️⃣", "❤️ ❤", "a🙂b", "🎬 film 🍿", "☃ ☂ ★ ♥ ♫", "→ ⇒ ∀ ∃ ∑ ∞ ≠ ≤",
    "– — ― ‐ ‑ −", "“quoted” ‘single’ «guillemets» „low“", "… ‥ ․", "€ £ ¥ ₹ ₿ ¢ $", "° ′ ″ ‰ ‱ № §¶†‡",
    "[CLS]", "[SEP]", "[PAD]", "[UNK]", "[MASK]", "[cls] [sep]", "[ SEP ]", "[SEP", "SEP]", "[[SEP]]", "a[SEP]b",
    "a [SEP] b", "[CLS] a [SEP] b [SEP]", "[MASK][MASK]", "the [MASK] sat", "[SEP]\u0301", "##ing", "## ing", "#a ##b",
    "[unused0] [unused99]", "<s> </s> <pad> <mask> <|endoftext|>", "x" * 99, "x" * 100, "x" * 101, "é" * 100,
    "e\u0301" * 60, "supercalifragilisticexpialidocious", "Pneumonoultramicroscopicsilicovolcanoconiosis",
    "antidisestablishmentarianism", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "qzxjkvw", "zzzzzz",
    "1234567890", "3.14159", "-1,234,567.89", "1e-9", "0x1F", "2023-11-24T00:42:17.123Z", "12:34:56", "+49 30 123456",
    "192.168.0.1", "user@example.org", "https://example.org/a?b=c&d=%20#e", "C:\\Windows\\System32", "/usr/local/bin",
    "file_name-v1.2.tar.gz", "#hashtag @mention", "snake_case camelCase kebab-case", "f(x)=x**2;", "a+b==c&&d||!e",
    "{\"a\": [1, null, true]}", "<b>bold</b>&amp;", "$\\frac{a}{b}$", "~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./",
    "a,b;c:d.e!f?g", "U.S.A. e.g. i.e. Ph.D.", "3rd 21st", "AC/DC", "R&B", "O'Neil-Smith", "l'été d'Orléans",
    "  leading and trailing  ", "many     spaces", "tabs\tand\nlines\r\nand\rmore", "a\u000bb\u000cc", "a\u1680b",
    "a\u180eb", "a\u205fb\u202fc", "ﷺ", "㍿ ㎏ ㏒", "Ⓐⓑ", "𝒜𝓫𝔠 𝟙𝟚", "ʰʷʲ ˈˌ", "ａ\u0301", "ͅ", "ŉ ǰ ΐ", "ﬄx", "ſ ẛ",
    "K Å Ω", "\u0340\u0341\u0343", "\u0958 \u09dc", "क़", "\u0f43", "\u2adc", "𝅗𝅥", "\ufb1d\ufb2a",
]  # fmt: skip

repeated = [
    ("a ", 300), ("word", 60), ("word ", 1000), ("漢", 400), ("🙂", 300), ("🙂 ", 300), ("!", 400), ("x", 100_000),
    ("ab cd, ", 14_286), ("été ", 25_000), ("\n", 100_000), ("\u0000", 100_000), ("漢字かな", 25_000),
    ("[SEP] ", 300), ("[SEP]", 300), ("supercalifragilistic ", 300), (" " * 999 + "a", 100), ("x" * 5_000 + " y ", 20),
    ("\u0301", 1000), ("a\u0301", 1000), ("\u200b", 1000), ("don't ", 200), ("3.14 ", 200),
]  # fmt: skip

blocks = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x590, 0x6FF),
    (0x900, 0xDFF), (0xE00, 0xFFF), (0x1100, 0x11FF), (0x1E00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x22FF),
    (0x2300, 0x2BFF), (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0xF900, 0xFAFF), (0xFB00, 0xFDFF),
    (0xFE00, 0xFFEF), (0x10000, 0x107FF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x2A6DF), (0x1, 0x1F),
]  # fmt: skip


def random_texts():
    generator = random.Random(20231124)
    for low, high in blocks:
        for length in (8, 24):
            text = "".join(chr(generator.randint(low, high)) for _ in range(length))
            yield " ".join(text[i : i + 4] for i in range(0, length, 4))
    for _ in range(30):
        picked = [generator.choice(blocks) for _ in range(20)]
        yield "".join(chr(generator.randint(low, high)) for low, high in picked)


def main():
    tokenizer = Tokenizer.from_file(sys.argv[1])
    tokenizer.no_padding()
    tokenizer.enable_truncation(TOKENS_MAX)
    cases = [(text, 1) for text in [*plain, *random_texts()]] + repeated
    for text, times in cases:
        ids = tokenizer.encode(text * times).ids
        row = {"text": text, "times": times, "ids": " ".join(map(str, ids))}
        print(json.dumps(row, ensure_ascii=True, separators=(",", ":")))


main()
