import { expect, test } from "vitest";
import { openTestServer } from "../server.fixture.ts";
import { encodeInputsMax } from "./encode.ts";

const path = "/v1/collections/films/spaces/genre/encode";

test("inputs are encoded in order, as a search says them or as a record holds them", async () => {
  const { post } = await openTestServer();
  const asked = await post(path, JSON.stringify({ inputs: ["Drama", ["Comedy", "Drama"]] }));
  expect(asked.status).toBe(200);
  expect(asked.body.segments).toEqual([
    [0, 1],
    [expect.closeTo(Math.SQRT1_2, 6), expect.closeTo(Math.SQRT1_2, 6)],
  ]);
  const held = await post(path, JSON.stringify({ inputs: ["Comedy", "Western"], as: "record" }));
  expect(held.body.segments).toEqual([
    [1, 0],
    [0, 0],
  ]);
});

test.for([
  ["{}", "inputs"],
  ["[]", "inputs"],
  ['{"inputs":[]}', "inputs"],
  ['{"inputs":"Drama"}', "inputs"],
  ['{"inputs":["Drama"],"as":"row"}', "query, record"],
  ['{"inputs":["Drama"],"kind":"query"}', '"kind"'],
  ['{"inputs":["Drama",7]}', "inputs[1]"],
  ['{"inputs":["Drama",7],"as":"record"}', "inputs[1]"],
  ['{"inputs":["Drama",null],"as":"record"}', "inputs[1]"],
  [`{"inputs":${"[".repeat(20)}${"]".repeat(20)}}`, "nested"],
  [JSON.stringify({ inputs: Array(encodeInputsMax + 1).fill("Drama") }), String(encodeInputsMax)],
] as const)("422 query_invalid: %s", async ([text, named]) => {
  const { post } = await openTestServer();
  const { status, body } = await post(path, text);
  expect([status, body.error.code]).toEqual([422, "query_invalid"]);
  expect(body.error.message).toContain(named);
});

test("an unknown space is named with the nearest, an unknown collection is 404", async () => {
  const { post } = await openTestServer();
  const body = JSON.stringify({ inputs: ["Drama"] });
  const misspelt = await post("/v1/collections/films/spaces/gener/encode", body);
  expect([misspelt.status, misspelt.body.error.mend]).toEqual([422, expect.stringContaining("genre")]);
  expect((await post("/v1/collections/film/spaces/genre/encode", body)).status).toBe(404);
});
