import { expect, test } from "vitest";
import { charsOf, PacketRoom, packetCharsMax } from "./packet-room.ts";

function cuts(sizes: readonly number[]): number[][] {
  const room = new PacketRoom();
  const packets: number[][] = [[]];
  for (const size of sizes) {
    if (!room.take(size)) packets.push([]);
    packets.at(-1)?.push(size);
  }
  return packets;
}

test("a packet holds at most 100 records, or as many as fit its characters", () => {
  expect(cuts(Array(250).fill(1)).map((packet) => packet.length)).toEqual([100, 100, 50]);
  const half = packetCharsMax / 2;
  expect(cuts([half, half, 1, half])).toEqual([
    [half, half],
    [1, half],
  ]);
});

test("a record that is too large for any packet has one of its own", () => {
  const huge = packetCharsMax + 1;
  expect(cuts([huge, huge, 1])).toEqual([[huge], [huge], [1]]);
});

test("all strings of a record count, as deep as fields go", () => {
  expect(charsOf(JSON.parse(`${"[".repeat(5_000)}"ab"${"]".repeat(5_000)}`))).toBe(0);
  expect(charsOf({ id: "ab", photo: { base64: "abcd" }, tags: ["x", "y"], year: 1995, none: null })).toBe(8);
});
