import { type Decision, escaped, intervalSvg, type TaskReport } from "@medley/training";
import type { Assignment } from "./assign-collection.ts";
import type { SpacePlan } from "./decisions.ts";
import { htmlPage, htmlTable } from "./html-page.ts";
import {
  armNames,
  decisionSentence,
  figure,
  memorySentences,
  originSentence,
  planSentence,
  weightsSentences,
} from "./sentences.ts";

/** The report as one HTML page that needs nothing else. */
export function reportPage(assignment: Assignment, plans: readonly SpacePlan[]): string {
  const { collection, sample, seed, tasks } = assignment;
  const { train, validation, test } = sample.split;
  const title = `${collection.name}: what its spaces are best encoded by`;
  return htmlPage(
    title,
    `<p>${train.length} records to train on, ${validation.length} to choose by, ${test.length} to confirm by, of ${sample.recordsRead};
seed ${seed}; data ${sample.fingerprint.sha256.slice(0, 16)}. Lines are 95 % intervals, the dashed line is the baseline: what who knows no record would score.</p>
${memorySentences(assignment)
  .map((sentence) => `<p>${escaped(sentence)}.</p>`)
  .join("\n")}
<ul>${plans.map((plan) => `<li>${escaped(planSentence(plan, false))}</li>`).join("")}</ul>
${tasks.map((task) => taskSection(task, assignment)).join("\n")}`,
  );
}

function taskSection(task: TaskReport, { candidates }: Assignment): string {
  const { kind, spaces, fusions, baseline, hasEvidence } = task;
  const sections = spaces.map(({ space, decision, verdict }) => {
    const origins = originSentence(decision, { space, candidates });
    const sentences = [decisionSentence(decision, verdict, kind), ...(origins === null ? [] : [origins])];
    return decisionSection(`Space ${space}`, decision, { baseline, sentences });
  });
  if (fusions !== null && hasEvidence) {
    const sentences = [decisionSentence(fusions, fusions.verdict, kind)];
    if (task.weights !== null) sentences.push(...weightsSentences(task.weights));
    sections.push(decisionSection("Spaces together", fusions, { baseline, sentences }));
  }
  return `<h2>Task ${escaped(task.task)} (${kind})</h2>\n${sections.join("\n")}`;
}

function decisionSection(
  title: string,
  decision: Decision,
  { baseline, sentences }: { readonly baseline: number; readonly sentences: readonly string[] },
): string {
  const { arms, chosen } = decision;
  const names = armNames(decision);
  const rows = arms.map(({ validation }, at) => ({
    ...{ name: names[at] as string, ...validation },
    isChosen: at === chosen,
  }));
  const cells = arms.map(({ validation, behind, cost, neighbours }, at) => [
    names[at] as string,
    figure(validation.mean),
    `${figure(behind.difference)} (${figure(behind.low)} to ${figure(behind.high)})`,
    String(neighbours),
    cost.millisecondsPerRecord.toFixed(2),
    String(cost.bytesPerRecord),
    (cost.modelBytes / 1e6).toFixed(1),
    cost.trainingSeconds.toFixed(1),
  ]);
  const head = [
    "",
    "score",
    "behind the best",
    "neighbours",
    "ms/record",
    "bytes/record",
    "model MB",
    "training s",
  ];
  return `<h3>${escaped(title)}</h3>
${sentences.map((sentence) => `<p>${escaped(sentence)}.</p>`).join("\n")}
${intervalSvg(title, rows, baseline)}
${htmlTable(head, cells, chosen)}`;
}
