import { expect, test } from "vitest";
import { MemoryRoom } from "./memory-room.ts";

const room = (memory: string) => new MemoryRoom({ info: async () => `# Memory\r\n${memory}` });

test.for([
  ["used_memory:79\r\nmaxmemory:100\r\n", true],
  ["used_memory:80\r\nmaxmemory:100\r\n", false],
  ["used_memory:1000000\r\nmaxmemory:0\r\n", true],
  ["", true],
] as const)("%j has room: %s", async ([memory, has]) => {
  const admitted = room(memory).admit();
  if (has) await admitted;
  else await expect(admitted).rejects.toMatchObject({ code: "overloaded", retryable: true });
});

test("many packets at once cost one look, and one that failed is not kept", async () => {
  let looks = 0;
  const failing = new MemoryRoom({
    info: async () => {
      looks += 1;
      if (looks === 1) throw new Error("Connection is closed.");
      return "used_memory:1\r\nmaxmemory:100\r\n";
    },
  });
  const first = await Promise.allSettled([failing.admit(), failing.admit()]);
  expect(first.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  await failing.admit();
  expect(looks).toBe(2);
});
