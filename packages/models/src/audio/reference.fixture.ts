import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type AudioModel, type AudioModelOptions, readAudioModel } from "../artefact/audio-model.ts";
import { sessionOptions } from "../runtime/session.ts";
import { AudioSession } from "./audio-session.ts";

/** What infra/reference/audio.py made of the project's clips with transformers: vectors are not yet of unit length. */
export interface Reference {
  readonly file: string;
  /** At 16 kHz. */
  readonly samples: number;
  readonly group: string;
  readonly layer: string;
}

const folder = import.meta.dirname;

/** A file of this folder: `clips/…` or `reference/…`. */
export function soundFile(path: string): Uint8Array {
  return readFileSync(join(folder, path));
}

export function references(): Reference[] {
  return JSON.parse(readFileSync(join(folder, "reference/vectors.json"), "utf8"));
}

/** Float32 numbers as the scripts write them: base64, little-endian. */
export function unpacked(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(Buffer.from(base64, "base64")).buffer);
}

export interface OpenedModel {
  readonly model: AudioModel;
  readonly session: AudioSession;
}

/** A tiny Wav2Vec2 of the true architecture, or any other model by its name. */
export async function openAudio(
  name: "wav2vec2-group" | "wav2vec2-layer" | "ge2e-voice",
  options: AudioModelOptions = {},
): Promise<OpenedModel> {
  const path = name === "ge2e-voice" ? name : join(folder, "reference", name);
  const model = await readAudioModel(path, {}, options);
  return { model, session: await AudioSession.open(model, sessionOptions) };
}

/** One clip's vector; throws its failure's message. */
export async function vectorOf({ session }: OpenedModel, clip: Uint8Array): Promise<Float32Array> {
  const { failures, ...rows } = await session.prepare([clip]);
  if (failures[0] !== undefined) throw new Error(failures[0].message);
  return (await session.run(rows)).vectors;
}

export function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (u: Float32Array, v: Float32Array) => u.reduce((sum, x, i) => sum + x * (v[i] as number), 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** A RIFF WAVE file of 16 bits (or float of 32), one array per channel. */
export function wavOf(
  channels: readonly Float32Array[],
  options: { sampleRate: number; float?: boolean },
): Uint8Array {
  const { sampleRate, float = false } = options;
  const bytesPerSample = float ? 4 : 2;
  const samples = channels[0]?.length ?? 0;
  const dataBytes = samples * channels.length * bytesPerSample;
  const wav = Buffer.alloc(44 + dataBytes);
  wav.write("RIFF", 0, "latin1");
  wav.writeUInt32LE(36 + dataBytes, 4);
  wav.write("WAVEfmt ", 8, "latin1");
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(float ? 3 : 1, 20);
  wav.writeUInt16LE(channels.length, 22);
  wav.writeUInt32LE(sampleRate, 24);
  wav.writeUInt32LE(sampleRate * channels.length * bytesPerSample, 28);
  wav.writeUInt16LE(channels.length * bytesPerSample, 32);
  wav.writeUInt16LE(8 * bytesPerSample, 34);
  wav.write("data", 36, "latin1");
  wav.writeUInt32LE(dataBytes, 40);
  for (let i = 0, at = 44; i < samples; i++) {
    for (const channel of channels) {
      const sample = channel[i] as number;
      if (float) wav.writeFloatLE(sample, at);
      else wav.writeInt16LE(Math.max(-32_768, Math.min(32_767, Math.round(sample * 32_768))), at);
      at += bytesPerSample;
    }
  }
  return wav;
}
