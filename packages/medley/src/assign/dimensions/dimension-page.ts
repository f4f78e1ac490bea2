import { curveSvg, type DimensionSplit, escaped } from "@medley/training";
import { htmlPage, htmlTable } from "../html-page.ts";
import { figure } from "../sentences.ts";
import type { DimensionAssignment } from "./assign-dimensions.ts";
import { lossSentence, shareSentence, wayOf } from "./dimension-sentences.ts";

/** The report as one HTML page that needs nothing else. */
export function dimensionPage(
  { collection, sample, seed }: DimensionAssignment,
  split: DimensionSplit,
): string {
  const title = `${collection.name}: ${split.to} of ${split.from} dimensions`;
  const { train, validation, test } = sample.split;
  const recalls = split.steps.map(({ dimensions, recall }) => ({ step: dimensions, value: recall }));
  const curve = { name: "recall@10", points: [{ step: split.from, value: 1 }, ...recalls] };
  const shares = split.spaces.map((share) => [share.space, `${share.from}`, `${share.to}`, wayOf(share)]);
  const steps = split.steps.map((step) => [
    step.space,
    `${step.from}`,
    `${step.to}`,
    wayOf(step),
    `${step.dimensions}`,
    figure(step.recall),
    step.lossPerDimension.toExponential(1),
  ]);
  const weightings = split.weightings.map((one) => [one.name, figure(one.validation), figure(one.test)]);
  const sentences = split.spaces.map((share) =>
    shareSentence(`${collection.name}.${share.space}`, share, false),
  );
  return htmlPage(
    title,
    `<p>Axes fitted to ${train.length} records, the split chosen by queries of ${validation.length} others and tried on queries of ${test.length} more, of
${sample.recordsRead}; seed ${seed}; data ${sample.fingerprint.sha256.slice(0, 16)}. Recall is of the ten best by all dimensions.</p>
<p>${escaped(lossSentence(split))}.</p>
<ul>${sentences.map((sentence) => `<li>${escaped(sentence)}</li>`).join("")}</ul>
${htmlTable(["", "from", "to", "by"], shares)}
<h2>What searches find</h2>
${htmlTable(["weights", "queries that chose", "others"], weightings)}
<h2>The way down</h2>
${curveSvg("Recall@10 by dimensions", [curve], "dimensions")}
${htmlTable(["space", "from", "to", "by", "in all", "recall@10", "lost per dimension"], steps)}`,
  );
}
