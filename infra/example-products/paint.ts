import type { NamedRandom } from "./random.ts";

/** What colours are called in records, and how they look. */
export const colours = {
  red: "#c62f38",
  orange: "#e27a2a",
  yellow: "#e9c03c",
  green: "#4a8b49",
  teal: "#258b8d",
  blue: "#2e61b6",
  purple: "#7a4ea5",
  pink: "#e58bab",
  brown: "#7c5337",
  black: "#2b2b30",
  white: "#f0eee8",
  grey: "#8c9097",
} as const;
export type Colour = keyof typeof colours;

export const patterns = ["plain", "striped", "dotted", "checked"] as const;
export type Pattern = (typeof patterns)[number];

/** What a shape is painted with: SVG colours, and `main`, which may be a pattern. */
export interface Paint {
  readonly main: string;
  /** The main colour where no pattern would show. */
  readonly flat: string;
  readonly dark: string;
  readonly accent: string;
  /** Definitions that the others refer to. */
  readonly defs: string;
}

export function paintOf(colour: Colour, pattern: Pattern, random: NamedRandom): Paint {
  const flat = mix(colours[colour], random.one(["#ffffff", "#000000"]), random.between(0, 0.1));
  const isLight = colour === "white" || colour === "yellow";
  const second = mix(flat, isLight ? "#4a4a52" : "#ffffff", 0.75);
  const accents = ["#f3f0e8", "#3a3a40", mix(flat, "#ffffff", 0.45), mix(flat, "#000000", 0.4)];
  const tile = tileOf(pattern, flat, second, random);
  const shade = `<linearGradient id="shade" x1="0" y1="0" x2="1" y2="0.6"><stop offset="0" stop-color="#fff" stop-opacity=".28"/>
<stop offset=".45" stop-color="#fff" stop-opacity="0"/><stop offset="1" stop-color="#000" stop-opacity=".34"/></linearGradient>`;
  return {
    main: tile === "" ? flat : "url(#tile)",
    flat,
    dark: mix(flat, "#000000", 0.45),
    accent: random.one(accents),
    defs: `${shade}${tile}`,
  };
}

function tileOf(pattern: Pattern, flat: string, second: string, random: NamedRandom): string {
  if (pattern === "plain") return "";
  const px = random.between(15, 24);
  const turn = pattern === "striped" ? random.one([0, 90, 45]) : random.one([0, 45]);
  const marks = {
    striped: `<rect width="${(px / 2).toFixed(1)}" height="${px.toFixed(1)}" fill="${second}"/>`,
    dotted: `<circle cx="${(px / 2).toFixed(1)}" cy="${(px / 2).toFixed(1)}" r="${(px / 4.2).toFixed(1)}" fill="${second}"/>`,
    checked: `<path d="M0 0h${(px / 2).toFixed(1)}v${px.toFixed(1)}h-${(px / 2).toFixed(1)}zM0 0h${px.toFixed(1)}v${(px / 2).toFixed(1)}h-${px.toFixed(1)}z" fill="${second}" fill-opacity=".55"/>`,
  }[pattern];
  return `<pattern id="tile" width="${px.toFixed(1)}" height="${px.toFixed(1)}" patternUnits="userSpaceOnUse" patternTransform="rotate(${turn})">
<rect width="${px.toFixed(1)}" height="${px.toFixed(1)}" fill="${flat}"/>${marks}</pattern>`;
}

/** `share` of the way from one colour to another, both `#rrggbb`. */
export function mix(from: string, to: string, share: number): string {
  const channel = (hex: string, at: number) => Number.parseInt(hex.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) =>
    Math.round(channel(from, at) + (channel(to, at) - channel(from, at)) * share),
  );
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** An area with light from the left. */
export function area(path: string, fill: string): string {
  return `<path d="${path}" fill="${fill}"/><path d="${path}" fill="url(#shade)"/>`;
}

export function line(path: string, colour: string, widthPx: number): string {
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="${widthPx}" stroke-linecap="round" stroke-linejoin="round"/>`;
}

export function disc(x: number, y: number, rx: number, ry: number, fill: string): string {
  return `<ellipse cx="${x}" cy="${y}" rx="${rx}" ry="${ry}" fill="${fill}"/>`;
}
