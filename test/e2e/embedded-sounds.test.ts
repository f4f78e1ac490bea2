/** Clips from a file's records to search, on the messages of examples/sounds. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { jsonLines, Workplace } from "./medley.fixture.ts";

interface Message {
  readonly id: string;
  readonly clip: string;
  readonly said: string;
  readonly speaker: string;
}

const example = join(import.meta.dirname, "../../examples/sounds");
const speakers = ["angus", "susan", "edgar"];
const messages: Message[] = readFileSync(join(example, "sounds.jsonl"), "utf8")
  .trimEnd()
  .split("\n")
  .map((line) => JSON.parse(line))
  .filter(({ speaker, language }) => speakers.includes(speaker) && language === "en")
  .map(({ id, clip, said, speaker }) => ({ id, clip, said, speaker }));

test("clips are found by another of the same voice; a broken one is a dead letter, its neighbours are indexed", async () => {
  await using inbox = new Workplace({
    collections: {
      messages: {
        fields: { said: "text", clip: "audio", speaker: "category" },
        spaces: {
          voice: {
            encoder: "audio",
            field: "clip",
            model: "ge2e-voice",
            from: { folder: join(example, "clips") },
          },
          said: { encoder: "text", field: "said" },
        },
      },
    },
  });
  const [first] = messages as [Message];
  const bytes = readFileSync(join(example, "clips", first.clip));
  const base64 = (content: Uint8Array) => ({ base64: Buffer.from(content).toString("base64") });
  const records = [
    ...messages.slice(0, 4),
    { ...first, id: "cut-off", clip: base64(bytes.subarray(0, 60)) },
    { ...first, id: "no-sound", clip: base64(Buffer.from("no sound at all")) },
    { ...first, id: "escapes", clip: "../queries/angus.opus" },
    { ...first, id: "as-bytes", clip: base64(bytes) },
    ...messages.slice(4),
  ];
  inbox.write("messages.jsonl", jsonLines(records));
  const filled = await inbox.runJson(["backfill", "messages.jsonl"]);
  expect(filled).toMatchObject({ exitCode: 4, data: { indexed: messages.length + 1, deadLetters: 3 } });
  const { data: letters } = await inbox.runJson(["dead-letters", "list"]);
  const reasons = Object.fromEntries(
    letters.map(({ recordId, code, reason }: Record<string, string>) => [recordId, `${code}: ${reason}`]),
  );
  expect(reasons).toEqual({
    "cut-off": expect.stringMatching(/^encoder_failed: .*voice/),
    "no-sound": expect.stringMatching(/^encoder_failed: .*voice/),
    escapes: expect.stringMatching(/^encoder_failed: .*leads out of "from.folder"/),
  });

  const search = async (...args: string[]) =>
    (await inbox.runJson(["search", "messages", ...args, "-k", "4"])).data.hits;
  const unheard = join(example, "queries/susan.opus");
  const sameVoice = await search("--voice", unheard, "--weight", "said=0");
  expect(sameVoice.map(({ fields }: { fields: Message }) => fields.speaker)).toEqual(Array(4).fill("susan"));

  writeFileSync(inbox.path("same.opus"), bytes);
  const same = await search("--voice", inbox.path("same.opus"), "--weight", "said=0");
  expect([same[0].id, same[1].id].sort()).toEqual(["as-bytes", first.id].sort());
  expect(same[0].score).toBeCloseTo(same[1].score, 5);
});
