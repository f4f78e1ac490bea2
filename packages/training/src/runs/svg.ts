/** Told apart by the colour-blind as well (Okabe and Ito, Color Universal Design, 2008). */
const colours = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/** Further than six, colours repeat. */
export function colourOf(of: number): string {
  return colours[of % colours.length] as string;
}

export function at(pixels: number): string {
  return String(Number(pixels.toFixed(1)));
}

/** For the text of an SVG or HTML element, and for an attribute in double quotes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

export interface Picture {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  /** Where the title begins. */
  readonly left: number;
}

/** A picture of its own: white behind, its title on top. `parts` are elements. */
export function svgPicture({ title, width, height, left }: Picture, parts: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#333">
<title>${escaped(title)}</title>
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${left}" y="22" font-size="14" font-weight="bold">${escaped(title)}</text>
${parts.join("\n")}
</svg>
`;
}
