import { type Collection, checkConfig } from "@medley/core";
import { expect, test } from "vitest";
import { speakByRules } from "./rules.ts";
import { readSpokenQuery } from "./spoken-query.ts";

const now = new Date("2026-11-30T00:00:00Z");
const genres = ["Comedy", "Crime", "Drama", "Horror", "Science Fiction"];

function collectionOf(
  fields: object,
  spaces: object,
  more: { name?: string; texts?: object } = {},
): Collection {
  const { name = "films", ...rest } = more;
  return checkConfig({ collections: { [name]: { fields, spaces, ...rest } } })[0] as Collection;
}

const films = collectionOf(
  { title: "text", year: "number", rating: "number", genres: "categories", plot: "text" },
  {
    plot: { encoder: "text", field: "plot" },
    genres: { encoder: "category", field: "genres", values: genres },
    year: { encoder: "number", field: "year", range: [1970, 2023] },
    rating: { encoder: "number", field: "rating", range: [0, 10] },
  },
);
const products = collectionOf(
  { title: "text", price: "number", colour: "category", launched: "timestamp" },
  {
    title: { encoder: "text", field: "title" },
    colour: { encoder: "category", field: "colour", values: ["red", "navy blue"] },
    price: { encoder: "number", field: "price", range: [1, 500] },
    launched: { encoder: "recency", field: "launched", horizonDays: 365 },
  },
  { name: "products" },
);
const words = { fields: ["title", "plot"], language: "english" };
const wordedFilms = collectionOf(
  { title: "text", plot: "text", year: "number" },
  {
    plot: { encoder: "text", field: "plot" },
    year: { encoder: "number", field: "year", range: [1970, 2023] },
  },
  { texts: { words } },
);
const unreadFilms = collectionOf(
  { title: "text", plot: "text", year: "number" },
  { year: { encoder: "number", field: "year", range: [1970, 2023] } },
  { texts: { words } },
);

function read(collection: Collection, sentence: string) {
  const { query, notes } = readSpokenQuery(collection, speakByRules(collection, sentence, now));
  expect(notes).toEqual([]);
  return query;
}

test.for<[string, object]>([
  ["a heist goes wrong", { parts: { plot: "heist goes wrong" } }],
  ["crime comedies about a heist", { parts: { plot: "heist", genres: ["Crime", "Comedy"] } }],
  [
    "science fiction films after 1990 about lonely robots",
    { parts: { plot: "lonely robots", genres: ["Science Fiction"] }, filter: { year: { gt: 1990 } } },
  ],
  [
    "ghosts but no horror or drama",
    { parts: { plot: "ghosts" }, filter: { genres: { none: ["Horror", "Drama"] } } },
  ],
  [
    "only drama about war",
    { parts: { plot: "war", genres: ["Drama"] }, filter: { genres: { any: ["Drama"] } } },
  ],
  [
    "a comedy from the 1980s about a wedding",
    { parts: { plot: "wedding", genres: ["Comedy"] }, filter: { year: { gte: 1980, lte: 1989 } } },
  ],
  ["war between 1980 and 1990", { parts: { plot: "war" }, filter: { year: { gte: 1980, lte: 1990 } } }],
  ["war from 1995", { parts: { plot: "war" }, filter: { year: { eq: 1995 } } }],
  ["war with a rating of at least 8.5", { parts: { plot: "war" }, filter: { rating: { gte: 8.5 } } }],
  ["war with the highest rating", { parts: { plot: "war", rating: "high" } }],
  ["recent films about war", { parts: { plot: "war", year: "high" } }],
  ["classic crime", { parts: { genres: ["Crime"], year: "low" } }],
  ["top 5 crime films", { parts: { genres: ["Crime"] }, k: 5 }],
  [
    'drama about "Star Wars" and "no horror"',
    { parts: { plot: "Star Wars and no horror", genres: ["Drama"] } },
  ],
  ["12 angry men in a jury room", { parts: { plot: "12 angry men in a jury room" } }],
])("films: %s", ([sentence, query]) => {
  expect(read(films, sentence)).toEqual(query);
});

test.for<[string, object]>([
  ["cheap shoes in navy blue", { parts: { title: "shoes", colour: ["navy blue"], price: "low" } }],
  ["red shoes under 40", { parts: { title: "shoes", colour: ["red"] }, filter: { price: { lt: 40 } } }],
  ["new shoes, not red", { parts: { title: "shoes", launched: {} }, filter: { colour: { ne: "red" } } }],
  [
    "shoes launched after 2024",
    { parts: { title: "shoes" }, filter: { launched: { gte: "2025-01-01T00:00:00.000Z" } } },
  ],
  [
    "red shoes of the last 2 weeks",
    {
      parts: { title: "shoes", colour: ["red"] },
      filter: { launched: { gte: "2026-11-16T00:00:00.000Z" } },
    },
  ],
  ["shoes for under 1,200.50", { parts: { title: "shoes for under 1,200.50" } }],
])("products: %s", ([sentence, query]) => {
  expect(read(products, sentence)).toEqual(query);
});

test.for<[string, object]>([
  ["robots called “Marvin”", { parts: { plot: "robots called Marvin" }, texts: { words: '"Marvin"' } }],
  [
    'a "bank heist" by "Ocean" after 1990',
    {
      parts: { plot: "bank heist by Ocean" },
      texts: { words: '"bank heist" "Ocean"' },
      filter: { year: { gt: 1990 } },
    },
  ],
  ['heist with nothing in quotes: ""', { parts: { plot: "heist with nothing in quotes" } }],
])("texts, beside a space that reads: %s", ([sentence, query]) => {
  expect(read(wordedFilms, sentence)).toEqual(query);
});

test("where no space reads texts, what is left is looked for as it stands", () => {
  expect(read(unreadFilms, "recent films about a bank heist")).toEqual({
    parts: { year: "high" },
    texts: { words: "bank heist" },
  });
});
