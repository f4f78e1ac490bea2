import type { Histogram } from "@medley/pipeline";

/** One metric of several series, which differ in their labels. */
export interface Family {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

export interface Sample {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number | Histogram;
}

/** The text format 0.0.4. A family without samples keeps its head, so that what there is can be read from any process. */
export function renderFamilies(families: readonly Family[]): string {
  return families.map(renderFamily).join("");
}

function renderFamily({ name, type, help, samples }: Family): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  for (const { labels, value } of samples) {
    if (typeof value === "number") lines.push(series(name, labels, value));
    else lines.push(...renderHistogram(name, labels, value));
  }
  return `${lines.join("\n")}\n`;
}

function* renderHistogram(name: string, labels: Sample["labels"], histogram: Histogram): Generator<string> {
  let below = 0;
  for (const [at, bound] of [...histogram.bounds, "+Inf"].entries()) {
    below += histogram.counts[at] as number;
    yield series(`${name}_bucket`, { ...labels, le: bound }, below);
  }
  yield series(`${name}_sum`, labels, histogram.sum);
  yield series(`${name}_count`, labels, below);
}

function series(name: string, labels: Sample["labels"], value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escapeLabel(String(text))}"`);
  return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${value}`;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
