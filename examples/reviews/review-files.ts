import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { Random } from "@medley/training";

/**
 * The Large Movie Review Dataset (Maas et al. 2011), where the user has it: the reviews belong to their authors, so they don't
 * travel with Medley. Two layouts are read: the official archive, unpacked (`train/pos/0_9.txt`), and lines of JSON with `id`,
 * `text` and `label` in `train.jsonl.gz` and `test.jsonl.gz`.
 */

export const labels = ["neg", "pos"] as const;
export type Label = (typeof labels)[number];

export interface Review {
  readonly id: string;
  readonly text: string;
  readonly label: Label;
}

type Part = "train" | "test";

/** A review that has not been read: the archive has 50,000 files. */
interface Listed {
  readonly id: string;
  readonly label: Label;
  readonly read: () => string;
}

/** The first of the folders that holds reviews. Throws, saying what to get, where none does. */
export function findReviews(folders: readonly string[]): string {
  const found = folders.find((folder) => isArchive(folder) || existsSync(join(folder, "train.jsonl.gz")));
  if (found !== undefined) return found;
  throw new Error(
    `the reviews are not there: ${folders.join(", ")}. Get aclImdb_v1.tar.gz (84 MB) from ` +
      "https://ai.stanford.edu/~amaas/data/sentiment/, unpack it, and name its folder: node examples/reviews/demo.ts aclImdb",
  );
}

/** As many of each label, by a seeded draw. Throws where the part has fewer. */
export function drawReviews(
  folder: string,
  part: Part,
  { count, seed }: { count: number; seed: number },
): Review[] {
  const listed = isArchive(folder) ? listArchive(folder, part) : listLines(folder, part);
  const random = new Random(seed);
  const drawn = labels.flatMap((label) => {
    const ofLabel = listed.filter((each) => each.label === label);
    if (ofLabel.length < count / 2)
      throw new Error(
        `${folder} has ${ofLabel.length} reviews "${label}" to ${part}, of ${count / 2} needed`,
      );
    return random.shuffle(ofLabel).slice(0, count / 2);
  });
  // Labels in turn would tell a reader of the file what comes next.
  return random.shuffle(drawn).map(({ id, label, read }) => ({ id, label, text: read() }));
}

function isArchive(folder: string): boolean {
  return existsSync(join(folder, "train/pos"));
}

function listArchive(folder: string, part: Part): Listed[] {
  return labels.flatMap((label) =>
    readdirSync(join(folder, part, label))
      .filter((name) => name.endsWith(".txt"))
      .sort()
      .map((name) => ({
        id: `${part}/${label}/${name.slice(0, -4)}`,
        label,
        // Texts of web pages, whose only mark-up that stayed is the end of a line.
        read: () => readFileSync(join(folder, part, label, name), "utf8").replaceAll("<br />", "\n"),
      })),
  );
}

function listLines(folder: string, part: Part): Listed[] {
  const lines = gunzipSync(readFileSync(join(folder, `${part}.jsonl.gz`)))
    .toString()
    .trimEnd()
    .split("\n");
  return lines.map((line) => {
    const { id, text, label }: Review = JSON.parse(line);
    return { id, label, read: () => text };
  });
}
