import { escaped } from "@medley/training";

const style =
  "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#333}" +
  "table{border-collapse:collapse;margin:.5rem 0 1.5rem}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd;text-align:right}" +
  "td:first-child,th:first-child{text-align:left}.chosen{font-weight:bold}svg{max-width:100%;height:auto}";

/** A page that needs nothing else: no script, no font, no other file. `body` is HTML. */
export function htmlPage(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escaped(title)}</title><style>${style}</style></head>
<body>
<h1>${escaped(title)}</h1>
${body}
</body>
</html>
`;
}

/** Of plain texts; `chosen` is the row that is set off. */
export function htmlTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  chosen?: number,
): string {
  const cells = (tag: string, texts: readonly string[]) =>
    texts.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join("");
  const lines = rows.map(
    (texts, at) => `<tr${at === chosen ? ' class="chosen"' : ""}>${cells("td", texts)}</tr>`,
  );
  return `<table><tr>${cells("th", head)}</tr>\n${lines.join("\n")}</table>`;
}
