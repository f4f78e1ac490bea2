import type { Product } from "./catalogue.ts";
import { type Colour, colours } from "./paint.ts";
import { shapes } from "./picture.ts";
import { NamedRandom } from "./random.ts";

/** A line of events.jsonl: what somebody did with a product. */
export interface ShoppingEvent {
  readonly user: string;
  readonly item: string;
  readonly kind: "view" | "buy" | "return";
  readonly at: string;
}

const shoppers = ["ada", "ben", "cleo", "dan", "eve", "finn", "gina", "hugo", "iris", "jon", "kim", "leo"];
const eventsPerShopper = 25;
/** Four in five events follow the shopper's taste. */
const tasteShare = 0.8;
const coloursLiked = 3;
const categoriesLiked = 4;
/** Events happened in the half year before. */
const lastDay = Date.UTC(2026, 6, 1);
const dayMs = 86_400_000;

/** The same events each time, by shopper and time. */
export function shopping(products: readonly Product[]): ShoppingEvent[] {
  return shoppers.flatMap((user) => {
    const random = new NamedRandom(`shopping of ${user}`);
    const liked = random.shuffled(likedBy(user, products));
    const events = Array.from({ length: eventsPerShopper }, (_, at) =>
      random.uniform() < tasteShare
        ? eventOf(user, liked[at % liked.length] as Product, random)
        : eventOf(user, random.one(products), random, ["view", "return"]),
    );
    return events.sort((a, b) => (a.at < b.at ? -1 : 1));
  });
}

/** Products in one of the shopper's colours and of one of the shopper's categories. */
function likedBy(user: string, products: readonly Product[]): Product[] {
  const random = new NamedRandom(`taste of ${user}`);
  const inColours = random.shuffled(Object.keys(colours) as Colour[]).slice(0, coloursLiked);
  const ofCategories = random.shuffled(Object.keys(shapes)).slice(0, categoriesLiked);
  return products.filter(
    ({ colour, category }) => inColours.includes(colour) && ofCategories.includes(category),
  );
}

function eventOf(
  user: string,
  { id }: Product,
  random: NamedRandom,
  kinds: readonly ShoppingEvent["kind"][] = ["view", "view", "buy"],
): ShoppingEvent {
  const at = new Date(lastDay - Math.ceil(random.between(1, 180 * 24)) * (dayMs / 24)).toISOString();
  return { user, item: id, kind: random.one(kinds), at };
}
