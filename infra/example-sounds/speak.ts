/**
 * Makes the clips of examples/sounds: `clips/*`, `sounds.jsonl` and the clips to search with, `queries/*`, which are in no
 * record.
 *
 *     node infra/example-sounds/speak.ts
 *
 * needs (Debian's names): espeak-ng flite ffmpeg. Other versions of them give other bytes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Language, type Message, type Speaker, speakers, type Topic } from "./messages.ts";

/** By turns, so that the collection has what recorders send: ending and ffmpeg's options. */
const formats = [
  ["opus", ["-c:a", "libopus", "-b:a", "18k"]],
  ["ogg", ["-c:a", "libvorbis", "-q:a", "0"]],
  ["mp3", ["-c:a", "libmp3lame", "-b:a", "24k"]],
] as const;
/** 16 kHz, one channel, and nothing of the program or the day. */
const plain = "-ar 16000 -ac 1 -map_metadata -1 -fflags +bitexact -flags:a +bitexact".split(" ");
const espeakVoices = { en: "en-us", de: "de", fr: "fr-fr" };
const recordedFrom = Date.UTC(2026, 4, 1);
const dayMs = 86_400_000;

function speak(
  { program, voice }: Speaker,
  { said, language }: { said: string; language: Language },
  to: string,
): void {
  const folder = mkdtempSync(join(tmpdir(), "medley-clip-"));
  try {
    const wav = join(folder, "said.wav");
    if (program === "flite") execFileSync("flite", ["-voice", voice, "-t", said, "-o", wav]);
    else execFileSync("espeak-ng", ["-v", `${espeakVoices[language]}${voice}`, "-w", wav, said]);
    const [, options] = formats.find(([ending]) => to.endsWith(ending)) as (typeof formats)[number];
    execFileSync("ffmpeg", ["-v", "error", "-i", wav, ...plain, ...options, to]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A line of sounds.jsonl. */
export interface Recording {
  readonly id: string;
  /** Below clips/. */
  readonly clip: string;
  readonly said: string;
  readonly topic: Topic;
  readonly language: Language;
  readonly speaker: string;
  readonly recorded: string;
}

/** Message `at` of speaker `row`. */
function recordingOf(
  name: string,
  { topic, said, language = "en" }: Message,
  row: number,
  at: number,
): Recording {
  const id = `${name}-${topic}`;
  const [ending] = formats[(row + at) % formats.length] as (typeof formats)[number];
  const day = (row * 11 + at * 17) % 61;
  const recorded = new Date(recordedFrom + day * dayMs).toISOString().slice(0, 10);
  return { id, clip: `${id}.${ending}`, said, topic, language, speaker: name, recorded };
}

export function recordings(): Recording[] {
  return Object.entries(speakers).flatMap(([name, { messages }], row) =>
    messages.map((message, at) => recordingOf(name, message, row, at)),
  );
}

if (import.meta.main) {
  const example = join(import.meta.dirname, "../../examples/sounds");
  for (const name of ["clips", "queries"]) {
    rmSync(join(example, name), { recursive: true, force: true });
    mkdirSync(join(example, name), { recursive: true });
  }
  for (const { clip, said, language, speaker } of recordings())
    speak(speakers[speaker] as Speaker, { said, language }, join(example, "clips", clip));
  for (const [name, speaker] of Object.entries(speakers))
    speak(speaker, { said: speaker.unheard, language: "en" }, join(example, "queries", `${name}.opus`));
  const lines = recordings().map((recording) => `${JSON.stringify(recording)}\n`);
  writeFileSync(join(example, "sounds.jsonl"), lines.join(""));
  process.stdout.write(`${lines.length} clips in ${example}\n`);
}
