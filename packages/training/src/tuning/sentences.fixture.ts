import type { LabelledTexts } from "./text-tuner.ts";

const foods = ["bread", "soup", "cheese", "rice", "honey", "apples", "fish", "cake", "beans", "tea"];
const tools = ["hammer", "saw", "drill", "wrench", "ladder", "chisel", "pliers", "screw", "file", "level"];
const places = ["market", "shed", "kitchen", "shop", "garden"];

export const classes = ["food", "tool"];

/** Short and longer sentences about food (0), then as many about tools (1); `from` shifts the words, so that parts differ. */
export function sentences(from: number, perClass = 12): LabelledTexts & { labels: number[] } {
  const texts = [foods, tools].flatMap((words) =>
    Array.from({ length: perClass }, (_, at) => {
      const place = places[(at * 3 + from) % places.length];
      return `${"very ".repeat((at % 2) * 6)}${words[(at + from) % words.length]} from the ${place}`;
    }),
  );
  return { texts, labels: texts.map((_, at) => (at < perClass ? 0 : 1)) };
}
