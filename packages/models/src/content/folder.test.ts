import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import * as fs from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Refused } from "./faults.ts";
import { readUnder } from "./folder.ts";

vi.mock("node:fs/promises", { spy: true });
const actual = await vi.importActual<typeof fs>("node:fs/promises");

const secret = "secret of another folder";
let base: string;
let folder: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "medley-folder-"));
  folder = join(base, "pictures");
  mkdirSync(join(folder, "shoes"), { recursive: true });
  mkdirSync(join(base, "pictures-private"));
  writeFileSync(join(folder, "shoes", "1.jpg"), "a shoe");
  writeFileSync(join(folder, "..name"), "two dots");
  writeFileSync(join(folder, "empty"), "");
  writeFileSync(join(base, "secret"), secret);
  writeFileSync(join(base, "pictures-private", "secret"), secret);
  symlinkSync("shoes/1.jpg", join(folder, "inside"));
  symlinkSync("shoes", join(folder, "boots"));
  symlinkSync("../secret", join(folder, "outside"));
  symlinkSync(join(base, "secret"), join(folder, "absolute"));
  symlinkSync("..", join(folder, "up"));
  symlinkSync("../pictures-private", join(folder, "sibling"));
  symlinkSync("chain2", join(folder, "chain1"));
  symlinkSync("outside", join(folder, "chain2"));
  symlinkSync("loop", join(folder, "loop"));
  symlinkSync("/dev/zero", join(folder, "zero"));
  symlinkSync("/proc", join(folder, "proc"));
  symlinkSync("nowhere", join(folder, "dangling"));
});
afterEach(() => {
  vi.resetAllMocks();
  rmSync(base, { recursive: true });
});

const read = (path: string, bytesMax = 1_000) => readUnder(folder, path, bytesMax);

test.for(["shoes/1.jpg", "./shoes//1.jpg", "shoes/./1.jpg", "inside", "boots/1.jpg"])(
  "%s is the file",
  async (path) => {
    expect(Buffer.from(await read(path)).toString()).toBe("a shoe");
  },
);

test("a name may begin with two dots", async () => {
  expect(Buffer.from(await read("..name")).toString()).toBe("two dots");
});

test("the folder may itself be a link, or be written with one", async () => {
  symlinkSync("pictures", join(base, "link"));
  for (const written of [join(base, "link"), `${folder}/`, join(base, "link/shoes/..")]) {
    expect((await readUnder(written, "shoes/1.jpg", 10)).length).toBe(6);
  }
});

const leaves = 'leads out of "from.folder"';
const irregular = "names no regular file";
const missing = "there is no such file";

describe("nothing outside is read", () => {
  test.for([
    ["../secret", leaves],
    ["../pictures/shoes/1.jpg", leaves],
    ["shoes/../../secret", leaves],
    ["shoes/../shoes/1.jpg", leaves],
    ["..", leaves],
    ["..\\secret", leaves],
    ["../pictures-private/secret", leaves],
    ["/etc/passwd", leaves],
    ["//etc/passwd", leaves],
    ["/proc/self/environ", leaves],
    ["/dev/zero", leaves],
    ["outside", leaves],
    ["absolute", leaves],
    ["up/secret", leaves],
    ["up/pictures/../secret", leaves],
    ["sibling/secret", leaves],
    ["chain1", leaves],
    ["loop", leaves],
    ["zero", leaves],
    ["proc/self/environ", leaves],
    ["proc/self/cwd/package.json", leaves],
    ["proc/self/root/etc/passwd", leaves],
    [".", leaves],
    ["up/pictures", leaves],
    ["shoes", irregular],
    ["shoes/", irregular],
    ["shoes/1.jpg/", missing],
    ["shoes/1.jpg/x", missing],
    ["dangling", missing],
    ["%2e%2e/secret", missing],
    ["..%2fsecret", missing],
    ["․․/secret", missing], // One-dot leaders.
    ["~/secret", missing],
    ["$HOME", missing],
    ["shoes/1.jpg\u0000.png", "contains U+0000"],
    ["../secret\u0000.jpg", "contains U+0000"],
    ["a".repeat(300), "is no valid one"],
    ["empty", "is empty"],
  ])("%j: %s", async ([path, reason]) => {
    const error = await read(path as string).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(Refused);
    expect(error.message).toContain(reason);
    expect(error.message + error.mend).not.toContain("secret");
  });

  test("a FIFO is not waited for", async () => {
    execFileSync("mkfifo", [join(folder, "fifo")]);
    await expect(read("fifo")).rejects.toThrow(irregular);
  });

  test("nor one that takes a file's place after the check", async () => {
    onceAfter("lstat", () => {
      rmSync(join(folder, "shoes/1.jpg"));
      execFileSync("mkfifo", [join(folder, "shoes/1.jpg")]);
    });
    await expect(read("shoes/1.jpg")).rejects.toThrow(irregular);
  });

  test("a socket is none", async () => {
    const server = createServer().listen(join(folder, "socket"));
    await expect(read("socket")).rejects.toThrow(irregular);
    server.close();
  });

  test.skipIf(process.platform !== "linux")(
    "devices of a folder that holds them, and files of /proc, which have no size",
    async () => {
      await expect(readUnder("/dev", "zero", 10)).rejects.toThrow(irregular);
      await expect(readUnder("/dev", "stdin", 10)).rejects.toBeInstanceOf(Refused);
      await expect(readUnder("/proc", "self/environ", 10)).rejects.toThrow("is empty");
    },
  );
});

/** Acts once, as soon as a call has been answered for the `calls`-th time. */
function onceAfter(name: "realpath" | "lstat", act: () => void, calls = 1): void {
  type Call = (path: string, options?: object) => Promise<unknown>;
  const [mock, original] = name === "lstat" ? [fs.lstat, actual.lstat] : [fs.realpath, actual.realpath];
  let count = 0;
  vi.mocked(mock as Call).mockImplementation(async (path, options) => {
    const answer = await (original as Call)(path, options);
    if (++count === calls) act();
    return answer;
  });
}

describe("what is swapped between check and opening", () => {
  test("the file for a link", async () => {
    onceAfter("lstat", () => {
      rmSync(join(folder, "shoes/1.jpg"));
      symlinkSync(join(base, "secret"), join(folder, "shoes/1.jpg"));
    });
    await expect(read("shoes/1.jpg")).rejects.toThrow(leaves);
    await expect(vi.mocked(fs.open).mock.results[0]?.value).rejects.toMatchObject({ code: "ELOOP" });
  });

  describe("the folder on the way for a link, and back once the file is open", () => {
    const [shoes, old] = [() => join(folder, "shoes"), () => join(folder, "old")];
    const away = () => {
      renameSync(shoes(), old());
      symlinkSync("../pictures-private", shoes());
    };
    function awayAndBack(then: () => void): void {
      writeFileSync(join(base, "pictures-private", "1.jpg"), secret);
      onceAfter("lstat", away);
      vi.mocked(fs.open).mockImplementation(async (path, flags) => {
        const file = await actual.open(path, flags);
        rmSync(shoes());
        renameSync(old(), shoes());
        then();
        return file;
      });
    }

    test("where the system does not tell where a file was opened", async () => {
      vi.mocked(fs.readlink).mockRejectedValue(new Error("no /proc"));
      awayAndBack(() => {});
      await expect(read("shoes/1.jpg")).rejects.toThrow(leaves);
    });

    // Where it does, it does not help to look right whenever the path is walked.
    test.skipIf(process.platform !== "linux")("and there again", async () => {
      awayAndBack(() => onceAfter("realpath", away));
      await expect(read("shoes/1.jpg")).rejects.toThrow(leaves);
    });
  });

  test.for([
    ["realpath", 2],
    ["lstat", 1],
  ] as const)("the folder on the way for a link, after %s", async ([name, calls]) => {
    writeFileSync(join(base, "pictures-private", "1.jpg"), secret);
    onceAfter(
      name,
      () => {
        renameSync(join(folder, "shoes"), join(folder, "old"));
        symlinkSync("../pictures-private", join(folder, "shoes"));
      },
      calls,
    );
    await expect(read("shoes/1.jpg")).rejects.toThrow(leaves);
  });

  test("the same where the system does not tell where a file was opened", async () => {
    vi.mocked(fs.readlink).mockRejectedValue(new Error("no /proc"));
    expect((await read("shoes/1.jpg")).length).toBe(6);
    writeFileSync(join(base, "pictures-private", "1.jpg"), secret);
    onceAfter(
      "realpath",
      () => {
        renameSync(join(folder, "shoes"), join(folder, "old"));
        symlinkSync("../pictures-private", join(folder, "shoes"));
      },
      2,
    );
    await expect(read("shoes/1.jpg")).rejects.toThrow(leaves);
  });

  test("a file that grew is read to the size that was checked, one that shrank not at all", async () => {
    const file = join(folder, "shoes/1.jpg");
    vi.mocked(fs.readlink).mockImplementationOnce(async () => {
      writeFileSync(file, "a shoe".repeat(100));
      return await fs.realpath(file);
    });
    expect(Buffer.from(await read("shoes/1.jpg")).toString()).toBe("a shoe");
    writeFileSync(file, "a shoe");
    vi.mocked(fs.readlink).mockImplementationOnce(async () => {
      writeFileSync(file, "a");
      return await fs.realpath(file);
    });
    await expect(read("shoes/1.jpg")).rejects.toThrow("shrank");
  });
});

test("at most bytesMax", async () => {
  expect((await read("shoes/1.jpg", 6)).length).toBe(6);
  await expect(read("shoes/1.jpg", 5)).rejects.toThrow("the file has more than 5 bytes");
});

test.for([
  ["EMFILE", { code: "encoder_unavailable" }],
  ["EIO", { name: "Refused", message: "the file can't be read (EIO)" }],
] as const)("%s", async ([code, expected]) => {
  vi.mocked(fs.open).mockRejectedValueOnce(Object.assign(new Error(code), { code }));
  await expect(read("shoes/1.jpg")).rejects.toMatchObject(expected);
});

test("a folder that is missing is the configuration's fault", async () => {
  await expect(readUnder(join(base, "gone"), "1.jpg", 5)).rejects.toThrow(
    `"from.folder" can't be read (ENOENT)`,
  );
});

test("the bytes have a buffer of their own", async () => {
  const bytes = await read("shoes/1.jpg");
  expect(bytes.buffer.byteLength).toBe(bytes.length);
});
