import { Random } from "@medley/training";

/**
 * A seeded stream of card payments in which two kinds of fraud hide.
 *
 * Stolen cards: one card at a time is used at night for large amounts in a few categories; what, when and how much tell.
 * Rings: groups of cards that were opened together and share two or three devices pay small shops that belong to the ring. Each
 * payment looks like any other; only who pays where on which device tells.
 */

export interface Transaction {
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly category: string;
  /** In the currency's unit. */
  readonly amount: number;
  /** What the payment touches: its card, its device, its shop. */
  readonly touches: readonly string[];
  readonly verdict: "fraud" | "honest";
}

export interface StreamOptions {
  readonly seed: number;
  readonly count: number;
  readonly days: number;
}

const cards = 1_200;
const shops = 300;
const ringCount = 12;
const startMs = Date.UTC(2026, 0, 5);
const dayMs = 86_400_000;

/** Typical amounts; thieves like the last three. */
const categories = {
  groceries: 35,
  fuel: 50,
  restaurant: 28,
  transport: 12,
  clothing: 60,
  pharmacy: 20,
  books: 18,
  furniture: 180,
  electronics: 220,
  jewellery: 260,
  vouchers: 90,
} as const;
type Category = keyof typeof categories;
const names = Object.keys(categories) as Category[];
const stolenFor: readonly Category[] = ["electronics", "jewellery", "vouchers"];

interface Ring {
  readonly cards: readonly string[];
  readonly devices: readonly string[];
  readonly shops: readonly string[];
}

/** In the order of time. Equal options give equal payments. */
export function transactions({ seed, count, days }: StreamOptions): Transaction[] {
  const numbers = new Random(seed);
  const random = () => numbers.uniform();
  const shopCategory = Array.from({ length: shops }, () => pick(names, random));
  const rings = Array.from({ length: ringCount }, (_, at) => ringOf(at, random));
  const made = Array.from({ length: count }, () => {
    const day = Math.floor(random() * days);
    const kind = random();
    if (kind < 0.02) return ringPayment(pick(rings, random), day, shopCategory, random);
    if (kind < 0.032) return stolenPayment(day, shopCategory, random);
    return honestPayment(day, shopCategory, random, rings);
  });
  return made.sort((a, b) => a.at - b.at).map((payment, at) => ({ id: `t${at}`, ...payment }));
}

type Payment = Omit<Transaction, "id">;

function ringOf(at: number, random: () => number): Ring {
  const some = (kind: string, size: number, limit: number) =>
    Array.from({ length: size }, () => `${kind}:${Math.floor(random() * limit)}`);
  return {
    cards: some("card", 6 + Math.floor(random() * 5), cards),
    devices: Array.from({ length: 2 }, (_, device) => `device:ring-${at}-${device}`),
    shops: some("shop", 2, shops),
  };
}

function honestPayment(
  day: number,
  shopCategory: readonly Category[],
  random: () => number,
  rings: readonly Ring[],
): Payment {
  const card = Math.floor(random() * cards);
  // People go to the same few shops; some shop at a ring's without knowing.
  const usual =
    random() < 0.03
      ? pick(pick(rings, random).shops, random)
      : `shop:${(card * 7 + Math.floor(random() ** 2 * 25)) % shops}`;
  const category = shopCategory[Number(usual.slice(5))] as Category;
  const device = random() < 0.85 ? `device:${card}` : `device:${card}-other`;
  return {
    at: atHour(day, daytime(random), random),
    category,
    amount: amountOf(categories[category], random),
    touches: [`card:${card}`, device, usual],
    verdict: "honest",
  };
}

function ringPayment(
  ring: Ring,
  day: number,
  shopCategory: readonly Category[],
  random: () => number,
): Payment {
  const shop = pick(ring.shops, random);
  const category = shopCategory[Number(shop.slice(5))] as Category;
  return {
    at: atHour(day, daytime(random), random),
    category,
    amount: amountOf(categories[category], random),
    touches: [pick(ring.cards, random), pick(ring.devices, random), shop],
    verdict: "fraud",
  };
}

function stolenPayment(day: number, shopCategory: readonly Category[], random: () => number): Payment {
  const wanted = pick(stolenFor, random);
  const fitting = shopCategory.flatMap((category, shop) => (category === wanted ? [shop] : []));
  const card = Math.floor(random() * cards);
  return {
    at: atHour(day, (22 + Math.floor(random() * 7)) % 24, random),
    category: wanted,
    amount: amountOf(categories[wanted] * 2.2, random),
    touches: [
      `card:${card}`,
      `device:unknown-${Math.floor(random() * 4_000)}`,
      `shop:${pick(fitting, random)}`,
    ],
    verdict: "fraud",
  };
}

function daytime(random: () => number): number {
  return Math.min(23, Math.max(0, Math.round(14 + 4.5 * normal(random))));
}

function atHour(day: number, hour: number, random: () => number): number {
  return Math.floor(startMs + day * dayMs + (hour + random()) * 3_600_000);
}

/** Log-normal around what is typical. */
function amountOf(typical: number, random: () => number): number {
  return Math.round(100 * typical * Math.exp(0.6 * normal(random))) / 100;
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
