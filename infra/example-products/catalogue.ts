import { type Colour, colours, type Pattern } from "./paint.ts";
import { type Look, shapes } from "./picture.ts";
import { NamedRandom } from "./random.ts";
import { colourNames, patternSentences, type Wording, wordings } from "./words.ts";

/** A line of products.jsonl. */
export interface Product {
  readonly id: string;
  readonly photo: string;
  readonly title: string;
  readonly description: string;
  readonly category: string;
  readonly colour: Colour;
  readonly price: number;
  readonly launched: string;
}

export interface Item {
  readonly product: Product;
  readonly look: Look;
}

const perCategory = 20;
/** Products were launched in the three years before. */
const stockTaken = Date.UTC(2026, 6, 1);
const dayMs = 86_400_000;
const patternTurns: readonly Pattern[] = ["plain", "plain", "plain", "striped", "dotted", "checked"];

/** The same products each time, in the order of their ids. */
export function catalogue(): Item[] {
  return Object.keys(shapes).flatMap((category) =>
    looksOf(category).map((look) => ({ look, product: productOf(look) })),
  );
}

/** Every style about as often, every colour once or twice, and no two alike in style, colour and pattern. */
function looksOf(category: string): Look[] {
  const random = new NamedRandom(`looks of ${category}`);
  const styles = Object.keys(shapes[category] ?? {});
  const names = Object.keys(colours) as Colour[];
  const turns = [...random.shuffled(names), ...random.shuffled(names)];
  const taken = new Set<string>();
  return Array.from({ length: perCategory }, (_, at) => {
    const style = styles[at % styles.length] as string;
    const colour = turns[at] as Colour;
    const isNew = (pattern: Pattern) => !taken.has(`${style} ${colour} ${pattern}`);
    const pattern = random.shuffled(patternTurns).find(isNew) as Pattern;
    taken.add(`${style} ${colour} ${pattern}`);
    return { category, style, colour, pattern, seed: `${category}-${String(at + 1).padStart(2, "0")}` };
  });
}

function productOf(look: Look): Product {
  const id = look.seed;
  const random = new NamedRandom(`${id} words`);
  const wording = wordings[look.category] as Wording;
  const name = random.one(wording.names[look.style] as readonly string[]);
  const shown = { plain: "", striped: "Striped ", dotted: "Polka-Dot ", checked: "Checked " }[look.pattern];
  const sentences = [
    random.one(wording.uses),
    random.one(wording.made),
    random.one(patternSentences[look.pattern]),
  ];
  return {
    id,
    photo: `${id}.webp`,
    title: `${random.one(wording.materials)} ${shown}${name}, ${random.one(colourNames[look.colour])}`,
    description: sentences.join(" "),
    category: look.category,
    colour: look.colour,
    price: priceOf(wording, random),
    launched: new Date(stockTaken - Math.ceil(random.between(1, 3 * 365)) * dayMs).toISOString().slice(0, 10),
  };
}

/** As many cheap ones as dear ones by ratio, ending in .90 as prices do. */
function priceOf({ price: [min, max] }: Wording, random: NamedRandom): number {
  return Math.floor(min * (max / min) ** random.uniform()) + 0.9;
}
