import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Hit, loadConfig, openDeployment, readSettings } from "medley";

// Draws docs/search.svg, the picture in the README, from real searches over what `npm run demo` has loaded:
// the same question (without the film that the demo adds) under three weightings, each hit's score as the stack of its contributions.
const films = fileURLToPath(new URL("../examples/films/", import.meta.url));
const picture = fileURLToPath(new URL("../docs/search.svg", import.meta.url));

const parts = {
  plot: "a gang of thieves plans one last heist",
  genres: ["Comedy"],
  year: 2005,
  cast: ["George Clooney"],
};
const weightings = [
  { plot: 3, genres: 0.5, year: 0.2, cast: 0.2 },
  { plot: 0.3, genres: 2, year: 1, cast: 0 },
  { plot: 1, genres: 0, year: 0, cast: 2 },
];
const colours: Record<string, string> = {
  plot: "#3b6fd4",
  genres: "#e08a1e",
  year: "#6aa84f",
  cast: "#a64d79",
};
const rowPx = 26;
const panelPx = 20 + rowPx * 5 + 44;
const labelPx = 250;
const barPx = 480;
const titleCharsMax = 32;

function panel(weights: Record<string, number>, hits: readonly Hit[], top: number): string {
  const title = Object.entries(weights)
    .map(([space, weight]) => `${space} ${weight}`)
    .join(", ");
  const scale = barPx / Math.max(...hits.map((hit) => hit.score));
  const rows = hits.map((hit, index) => row(hit, scale, top + 28 + index * rowPx));
  return `<text x="16" y="${top + 12}" class="weights">weights: ${title}</text>\n${rows.join("\n")}`;
}

function row(hit: Hit, scale: number, y: number): string {
  let x = labelPx;
  const bars = Object.entries(hit.contributions)
    .filter(([, contribution]) => contribution > 0)
    .sort(([a], [b]) => Object.keys(colours).indexOf(a) - Object.keys(colours).indexOf(b))
    .map(([space, contribution]) => {
      const width = contribution * scale;
      const bar = `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="17" fill="${colours[space]}"/>`;
      x += width;
      return bar;
    });
  const full = String(hit.fields.title);
  const title = (full.length > titleCharsMax ? `${full.slice(0, titleCharsMax - 1)}…` : full).replaceAll(
    "&",
    "&amp;",
  );
  return `<text x="${labelPx - 10}" y="${y + 13}" text-anchor="end">${title}</text>${bars.join("")}<text x="${(x + 8).toFixed(1)}" y="${y + 13}" class="score">${hit.score.toFixed(2)}</text>`;
}

const { collections } = await loadConfig(films);
const settings = { ...readSettings(process.env), dataDir: `${films}.medley`, postgresPort: 0 };
await using deployment = await openDeployment({ collections, settings });
const panels: string[] = [];
for (const [index, weights] of weightings.entries()) {
  panels.push(
    panel(
      weights,
      await deployment.search("films", { parts, weights, k: 5, filter: { year: { lt: 2024 } } }),
      64 + index * panelPx,
    ),
  );
}
const legend = Object.entries(colours).map(
  ([space, colour], index) =>
    `<rect x="${labelPx + index * 90}" y="34" width="12" height="12" fill="${colour}"/><text x="${labelPx + 18 + index * 90}" y="45">${space}</text>`,
);
const height = 64 + weightings.length * panelPx;
writeFileSync(
  picture,
  `<svg xmlns="http://www.w3.org/2000/svg" width="820" height="${height}" viewBox="0 0 820 ${height}" font-family="sans-serif" font-size="13" fill="#24292f">
<style>.weights{font-weight:600}.score{fill:#57606a}</style>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="24" font-size="15" font-weight="600">“${parts.plot}”, Comedy, around 2005, with George Clooney</text>
${legend.join("\n")}
${panels.join("\n")}
</svg>
`,
);
