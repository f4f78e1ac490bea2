import { type Decision, escaped, intervalSvg, type TaskReport } from "@medley/training";
import type { Assignment } from "./assign-collection.ts";
import type { SpacePlan } from "./decisions.ts";
import {
  armNames,
  decisionSentence,
  figure,
  originSentence,
  planSentence,
  weightsSentence,
} from "./sentences.ts";

const style =
  "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#333}" +
  "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}" +
  "td:first-child,th:first-child{text-align:left}.chosen{font-weight:bold}svg{max-width:100%;height:auto}";

/** The report as one HTML page that needs nothing else: no script, no font, no other file. */
export function reportPage(assignment: Assignment, plans: readonly SpacePlan[]): string {
  const { collection, sample, seed, tasks } = assignment;
  const { train, validation, test } = sample.split;
  const title = `${collection.name}: what its spaces are best encoded by`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(title)}</title><style>${style}</style></head>
<body>
<h1>${escaped(title)}</h1>
<p>${train.length} records to train on, ${validation.length} to choose by, ${test.length} to confirm by, of ${sample.recordsRead};
seed ${seed}; data ${sample.fingerprint.sha256.slice(0, 16)}. Lines are 95 % intervals, the dashed line is the baseline: what who knows no record would score.</p>
<ul>${plans.map((plan) => `<li>${escaped(planSentence(plan, false))}</li>`).join("")}</ul>
${tasks.map((task) => taskSection(task, assignment)).join("\n")}
</body>
</html>
`;
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
    if (task.weights !== null) sentences.push(weightsSentence(task.weights));
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
  const row = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join("");
  return `<h3>${escaped(title)}</h3>
${sentences.map((sentence) => `<p>${escaped(sentence)}.</p>`).join("\n")}
${intervalSvg(title, rows, baseline)}
<table><tr>${row("th", head)}</tr>
${cells.map((texts, at) => `<tr${at === chosen ? ' class="chosen"' : ""}>${row("td", texts)}</tr>`).join("\n")}</table>`;
}
