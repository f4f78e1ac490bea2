import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { MedleyError } from "@medley/core";
import { expect, test } from "vitest";
import { readKey } from "./endpoint-key.ts";
import { type Behaviour, openRemote, sendJson } from "./remote-server.fixture.ts";

const secret = "sk-Sesame_0123456789";

/** All that a log, a debugger's dump or an answer over HTTP could show of a value. */
function shown(value: unknown): string {
  const parts = [
    inspect(value, { depth: 20, showHidden: true, getters: true }),
    JSON.stringify(value),
    String(value),
  ];
  if (value instanceof MedleyError) parts.push(value.message, String(value.mend), String(value.stack));
  return parts.join("\n");
}

async function keyFile(content: string) {
  const folder = await mkdtemp(join(tmpdir(), "medley-key-"));
  const path = join(folder, "key");
  await writeFile(path, content);
  return { path, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

function thrownBy(run: () => unknown): MedleyError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(MedleyError);
    return error as MedleyError;
  }
  throw new Error("nothing was thrown");
}

test("the key travels in the header, from the variable or the file it names", async () => {
  await using file = await keyFile(`${secret}\n`);
  await using remote = await openRemote();
  for (const environment of [
    { K: secret },
    { K: ` ${secret}\n` },
    { K_FILE: file.path },
    { K: "", K_FILE: file.path },
  ]) {
    await using encoder = remote.open({ keyVariable: "K" }, environment);
    await encoder.encode(["a"]);
    expect(remote.server.received.at(-1)?.headers.authorization).toBe(`Bearer ${secret}`);
  }
});

test.for<[string, Record<string, string>, RegExp]>([
  ["is missing", {}, /^K is not set/],
  ["is empty", { K: "" }, /^K is not set/],
  ["is white space", { K: " \n" }, /^K holds no key/],
  ["has a line break", { K: `${secret}\n${secret}` }, /^K holds no key/],
  ["has a letter no header takes", { K: `${secret}ü` }, /^K holds no key/],
  ["is given twice", { K: secret, K_FILE: "key" }, /^K and K_FILE are both set/],
  ["is in a folder, not a file", { K_FILE: tmpdir() }, /^K_FILE names .* which can't be read/],
  ["is in a file that is not there", { K_FILE: "no/such/file" }, /^K_FILE names no\/such\/file/],
])("a key that %s is refused at the start, and not shown", ([, environment, message]) => {
  const error = thrownBy(() => readKey("K", environment));
  expect(error.code).toBe("usage");
  expect(error.message).toMatch(message);
  expect(error.mend).toBeTruthy();
  expect(shown(error)).not.toContain("Sesame");
});

test("an empty key file is refused", async () => {
  await using file = await keyFile("\n");
  expect(thrownBy(() => readKey("K", { K_FILE: file.path })).message).toMatch(/^the file that K_FILE names/);
});

test.for([
  ["http://embeddings.example.com/v1", "a key would go to embeddings.example.com in plain http"],
  ["https://user:pass@x.example/v1", "url holds a user name or password"],
])("an address a key must not go to is refused at the start: %s", async ([url, message]) => {
  await using remote = await openRemote();
  const error = thrownBy(() => remote.open({ url: url as string, keyVariable: "K" }, { K: secret }));
  expect(error.code).toBe("config_invalid");
  expect(error.message).toContain(message);
  expect(shown(error)).not.toMatch(/Sesame|pass@/);
});

test("an endpoint that gives the key back in its answers puts it in no message, nor do texts get there", async () => {
  await using remote = await openRemote();
  const { server, time } = remote;
  await using encoder = remote.open({ keyVariable: "K", timeoutMs: 100 }, { K: secret });
  const texts = ["private words", "of a record"];
  const echo = { message: `bad ${secret} for ${texts}`, code: secret, type: texts[0] };
  const faults: Behaviour[] = [
    ...[400, 401, 403, 404, 418, 422, 429, 500].map(
      (status): Behaviour =>
        (response) =>
          sendJson(response, { error: echo }, status, { location: `/?${secret}`, "retry-after": secret }),
    ),
    (response) => sendJson(response, secret),
    (response) => sendJson(response, { data: [{ index: secret, embedding: secret }, null] }),
    (response, { body }) =>
      sendJson(response, { data: body.input.map((_, index) => ({ index, embedding: [secret] })) }),
    (response) => response.destroy(new Error(secret)),
    () => true,
  ];
  const seen: string[] = [shown(encoder), shown(readKey("K", { K: secret }))];
  for (const fault of faults) {
    server.behaviour = fault;
    for (const result of await encoder.encode(texts)) {
      expect(result.ok).toBe(false);
      seen.push(shown(result));
    }
    time.pass(60_000);
    seen.push(shown(await encoder.encodeQuery(texts[0] as string).catch((error) => error)));
    time.pass(60_000);
  }
  expect(seen.length).toBe(2 + 3 * faults.length);
  expect(seen.filter((text) => /Sesame|private words|of a record/.test(text))).toEqual([]);
  expect(server.received.every(({ headers }) => headers.authorization === `Bearer ${secret}`)).toBe(true);
});
