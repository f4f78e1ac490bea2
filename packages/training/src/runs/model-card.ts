import { lastPart } from "./dvclive.ts";
import type { Run } from "./run-folder.ts";
import { flattened } from "./run-record.ts";

export interface ModelCard {
  readonly run: Run;
  /** A sentence or two on what the model is and what it can't do. */
  readonly summary?: string;
  /** Of the model: an id of Hugging Face's list, as `apache-2.0`. Default: not stated. */
  readonly licence?: string;
  /** Of the data it was trained on, or of the model it was tuned from. Default: not stated. */
  readonly dataLicence?: string;
}

const notStated = "not stated";

/**
 * The `README.md` of a model: what it is, what it was trained on, how good it is, how to use and to make it again, in the order of
 * Mitchell et al., Model Cards for Model Reporting, 2019, with the head that Hugging Face reads. Names no record.
 */
export function modelCard({ run, summary, licence, dataLicence = notStated }: ModelCard): string {
  const { record, metrics, curves, parameters } = run;
  const { split, data } = record;
  const drawn = new Set(curves.filter(({ points }) => points.length > 1).map(({ name }) => lastPart(name)));
  const sections = [
    `---
license: ${licence ?? "other"}
library_name: medley
tags:
- ${record.kind}
---

# ${record.model}

${summary ?? `A model of the kind "${record.kind}", trained by Medley for the space ${record.model}.`}

Run ${record.id}, ${record.state}, ${record.startedAt} to ${record.endedAt ?? "now"}, seed ${record.seed}.`,
    `## Data

${data.count} rows, sha256 \`${data.sha256}\` over their ids and values. Split by ${split.by}: ${split.train} to train, ${split.validation} to choose settings, ${split.test} held out.`,
    `## Metrics

${tableOf(
  ["metric", "value"],
  Object.entries(metrics).map(([name, value]) => [name, figure(value)]),
)}`,
    ...(drawn.size === 0
      ? []
      : [`## Curves\n\n${[...drawn].map((title) => `![${title}](curves/${title}.svg)`).join("\n")}`]),
    `## Use

The space ${record.model} of \`medley.config.ts\` is served by the run that \`medley.lock.json\` names:

    medley models use ${record.model} ${record.id}
    medley models compare ${record.model}`,
    `## Parameters

${tableOf(
  ["parameter", "value"],
  [...flattened(parameters)].map(([name, value]) => [name, String(value)]),
)}`,
    `## Licence

Model: ${licence ?? notStated}. Data: ${dataLicence}. Whoever passes the model on answers for both.`,
  ];
  return `${sections.join("\n\n")}\n`;
}

function tableOf(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "None.";
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replace(/[|\\]/g, "\\$&").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** Four digits that count; whole numbers as they are. */
function figure(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}
