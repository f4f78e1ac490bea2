/** Pre-trained models tuned by `medley train`, of pictures, clips and texts, and served. */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readClassifier } from "@medley/models";
import { expect, onTestFinished, test, vi } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

interface Product {
  readonly id: string;
  readonly photo: string;
  readonly category: string;
}

const example = join(import.meta.dirname, "../../examples/products");
const categories = ["mugs", "sneakers", "umbrellas"];
const products: Product[] = readFileSync(join(example, "products.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line))
  .filter(({ category }) => categories.includes(category))
  .map(({ id, photo, category }) => ({ id, photo, category }));

function workplace(config: object): Workplace {
  const place = new Workplace(config);
  onTestFinished(() => place[Symbol.asyncDispose]());
  return place;
}

/** A second of a hum with overtones, or of a whistle, each a little other: 16-bit PCM at 16 kHz. */
function wav(sound: "hum" | "whistle", n: number): Buffer {
  const rate = 16_000;
  const data = Buffer.alloc(2 * rate);
  const [base, overtones] = sound === "hum" ? [90 + 3 * n, 8] : [1_400 + 40 * n, 1];
  for (let at = 0; at < rate; at += 1) {
    let value = 0;
    for (let k = 1; k <= overtones; k += 1) value += Math.sin((2 * Math.PI * base * k * at) / rate) / k;
    const swell = 0.6 + 0.4 * Math.sin((2 * Math.PI * (2 + (n % 5)) * at) / rate);
    data.writeInt16LE(Math.round(9_000 * value * swell), 2 * at);
  }
  const head = Buffer.alloc(44);
  head.write("RIFF", 0);
  head.writeUInt32LE(36 + data.length, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(2 * rate, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write("data", 36);
  head.writeUInt32LE(data.length, 40);
  return Buffer.concat([head, data]);
}

const shopOf = (tuned: object) => ({
  collections: {
    products: {
      fields: { photo: "image", category: "category" },
      spaces: {
        photo: {
          encoder: "image",
          field: "photo",
          model: "thin-resnet-50",
          from: { folder: "photos" },
          tuned: { target: "category", ...tuned },
        },
      },
    },
  },
});

test("photos: trained from a file, served as trained, searched; what can't be read is left out and counted", async () => {
  const shop = workplace(shopOf({}));
  mkdirSync(shop.path("photos"));
  for (const { photo } of products)
    copyFileSync(join(example, "photos", photo), shop.path(`photos/${photo}`));
  shop.write("photos/none.webp", "no picture at all");
  const faulty = [
    { id: "none", photo: "none.webp", category: "mugs" },
    { id: "escapes", photo: "../medley.config.json", category: "mugs" },
    { id: "unlabelled", photo: "nowhere.webp" },
  ];
  shop.write("products.jsonl", jsonLines([...products, ...faulty]));

  const { data, exitCode } = await shop.runJson(["train", "products.photo", "--from", "products.jsonl"]);
  expect({ exitCode, data }).toMatchObject({ exitCode: 0, data: { state: "done", records: 63 } });
  expect(data.metrics).toMatchObject({ "data/unreadable": 2 });
  expect(data.metrics["test/accuracy"]).toBeGreaterThan(0.6);
  expect(data.servedDifference).toBeLessThanOrEqual(1e-5);
  const run = JSON.parse(readFileSync(shop.path(`runs/${data.run}/run.json`), "utf8"));
  expect(run.split).toEqual({ by: "random", train: 48, validation: 6, test: 6 });

  const sold = products.slice(0, 8);
  shop.write("sold.jsonl", jsonLines(sold));
  const filled = await shop.runJson(["backfill", "sold.jsonl"]);
  expect(filled).toMatchObject({ exitCode: 0, data: { indexed: sold.length } });
  const [first] = sold as [Product];
  const found = await shop.runJson(["search", "products", "--photo", join(example, "photos", first.photo)]);
  expect(found.data.hits[0]).toMatchObject({ id: first.id, score: expect.closeTo(1, 2) });
  const classifier = await readClassifier(shop.path(data.artefact), {}, { kind: "image", dimensions: 1024 });
  expect(classifier).toMatchObject({ target: "category", labels: categories });
});

test("clips: two kinds of sounds are told apart", async () => {
  const inbox = workplace({
    collections: {
      clips: {
        fields: { clip: "audio", kind: "category" },
        spaces: {
          voice: {
            encoder: "audio",
            field: "clip",
            model: "ge2e-voice",
            from: { folder: "clips" },
            tuned: { target: "kind", blocks: 0 },
          },
        },
      },
    },
  });
  mkdirSync(inbox.path("clips"));
  const clips = (["hum", "whistle"] as const).flatMap((kind) =>
    Array.from({ length: 20 }, (_, n) => {
      inbox.write(`clips/${kind}-${n}.wav`, wav(kind, n));
      return { id: `${kind}-${n}`, clip: `${kind}-${n}.wav`, kind };
    }),
  );
  inbox.write("clips.jsonl", jsonLines(clips));
  const { data, exitCode } = await inbox.runJson(["train", "clips.voice", "--from", "clips.jsonl"]);
  expect({ exitCode, data }).toMatchObject({
    exitCode: 0,
    data: { state: "done", metrics: { "data/unreadable": 0, "test/accuracy": 1 } },
  });
  expect(data.servedDifference).toBeLessThanOrEqual(1e-5);
  inbox.write("heard.jsonl", jsonLines(clips.slice(0, 6)));
  expect(await inbox.runJson(["backfill", "heard.jsonl"])).toMatchObject({ data: { indexed: 6 } });
  const found = await inbox.runJson(["search", "clips", "--voice", inbox.path("clips/hum-3.wav"), "-k", "1"]);
  expect(found.data.hits[0]).toMatchObject({ id: "hum-3" });
});

test("blocks of a picture model, and a folder that is not the records', are refused", async () => {
  const blocks = workplace(shopOf({ blocks: 1 }));
  blocks.write("products.jsonl", jsonLines(products));
  const unsupported = await blocks.runJson(["train", "products.photo", "--from", "products.jsonl"]);
  expect(unsupported.error).toMatchObject({
    code: "training_unsupported",
    mend: expect.stringContaining("tuned.blocks to 0"),
  });
  const elsewhere = workplace(shopOf({}));
  mkdirSync(elsewhere.path("photos"));
  elsewhere.write("products.jsonl", jsonLines(products));
  const unread = await elsewhere.runJson(["train", "products.photo", "--from", "products.jsonl"]);
  expect(unread.error).toMatchObject({
    code: "training_data_invalid",
    message: expect.stringContaining("60 of 60 records can't be encoded"),
    mend: expect.stringContaining('"from"'),
  });
});

test("texts: killed after the first epoch, resumed to the same bytes as one that was not, and served as trained", {
  timeout: 300_000,
}, async () => {
  const reviews = workplace({
    collections: {
      reviews: {
        fields: { text: "text", about: "category" },
        spaces: { meaning: { encoder: "text", field: "text", tuned: { target: "about", blocks: 1 } } },
      },
    },
  });
  const words = { food: ["bread", "soup", "cheese", "rice"], tool: ["hammer", "saw", "drill", "wrench"] };
  const records = Object.entries(words).flatMap(([about, of]) =>
    Array.from({ length: 30 }, (_, n) => ({
      id: `${about}${n}`,
      text: `${of[n % 4]} from shop ${n}`,
      about,
    })),
  );
  reviews.write("reviews.jsonl", jsonLines(records));
  const command = ["train", "reviews.meaning", "--from", "reviews.jsonl", "--threads", "1", "--epochs", "4"];
  const killed = reviews.start(["--json", ...command]);
  const [, run] = await killed.said(/run (\S+):/);
  const checkpoint = reviews.path(`runs/${run}/checkpoints/blocks/last.safetensors`);
  await vi.waitUntil(() => existsSync(checkpoint), { timeout: 240_000, interval: 20 });
  killed.kill("SIGKILL");
  expect((await killed.ended).signal).toBe("SIGKILL");

  const resumed = await reviews.runJson([...command, "--resume", run as string]);
  expect(resumed).toMatchObject({ exitCode: 0, data: { run, state: "done" } });
  expect(resumed.data.servedDifference).toBeLessThanOrEqual(1e-5);
  const whole = await reviews.runJson(command);
  const hashes = ({ data }: { data: { artefact: string } }) => {
    const { files } = JSON.parse(readFileSync(join(reviews.path(data.artefact), "manifest.json"), "utf8"));
    return files;
  };
  expect(hashes(resumed)).toEqual(hashes(whole));
  expect(Object.keys(hashes(whole))).toContain("head/model.safetensors");
});
