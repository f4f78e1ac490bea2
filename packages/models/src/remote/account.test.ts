import { expect, test } from "vitest";
import { Accounts } from "./account.ts";
import { EndpointKey } from "./endpoint-key.ts";
import { PassingTime } from "./passing-time.fixture.ts";

const never = new AbortController().signal;
const record = { tokens: 1, ahead: false, waitMsMax: 60_000 };
const search = { ...record, ahead: true };

function open(limits: object) {
  const time = new PassingTime();
  const accounts = new Accounts(time);
  return { time, accounts, account: accounts.open("https://x", null, limits).account };
}

test("searches are let in first, then records in their order", async () => {
  const { account } = open({ requestsPerMinuteMax: 10 });
  const order: string[] = [];
  const enter = (name: string, admittance: typeof record) =>
    account.admit(admittance, never).then(() => order.push(name));
  await Promise.all([
    enter("first", record),
    enter("second", record),
    enter("third", record),
    enter("search", search),
  ]);
  expect(order).toEqual(["first", "search", "second", "third"]);
});

test("who would wait beyond its bound is refused, and does not hold up the others", async () => {
  const { account, time } = open({ requestsPerMinuteMax: 1 });
  await account.admit(record, never);
  const impatient = account.admit({ ...search, waitMsMax: 1_000 }, never);
  await expect(impatient).rejects.toMatchObject({
    code: "encoder_unavailable",
    message: expect.stringContaining("rate limit lets the next request go in 60 s"),
    mend: expect.stringContaining("requestsPerMinuteMax"),
  });
  await account.admit(record, never);
  expect(time.nowMs()).toBe(60_000);
});

test("who gives up while waiting makes way", async () => {
  const { account, time } = open({ tokensPerMinuteMax: 60 });
  await account.admit({ ...record, tokens: 6 }, never);
  const giveUp = new AbortController();
  const gone = account.admit({ ...record, tokens: 6 }, giveUp.signal);
  const next = account.admit(record, never);
  giveUp.abort(new Error("enough"));
  await expect(gone).rejects.toThrow("enough");
  await expect(account.admit(record, giveUp.signal)).rejects.toThrow("enough");
  await next;
  expect(time.nowMs()).toBe(1_000); // Of its own token, not of the six.
});

test("what was estimated too high is given back, too low is owed", async () => {
  const { account, time } = open({ tokensPerMinuteMax: 600 });
  const spend = async (estimate: number, tokens: number | null) => {
    await account.admit({ ...record, tokens: estimate }, never);
    account.begin(estimate);
    account.end(estimate, tokens);
  };
  await spend(60, 10);
  await spend(50, 50);
  expect(time.nowMs()).toBe(0);
  await spend(1, 101); // After 0.1 s; owes 100.
  expect([time.nowMs(), account.spentTokens, account.tokensUnderWay]).toEqual([100, 161, 0]);
  await account.admit({ ...record, tokens: 10 }, never);
  expect(time.nowMs()).toBe(100 + 10_000 + 1_000);
  account.begin(5);
  account.end(5, null);
  expect(account.spentTokens).toBe(161);
});

test("a pause that comes while somebody waits holds for them too, up to a minute", async () => {
  const { account, time } = open({ requestsPerMinuteMax: 60 });
  await Promise.all(Array.from({ length: 6 }, () => account.admit(record, never)));
  const waits = account.admit({ ...record, waitMsMax: 100_000 }, never);
  account.pause(1e9);
  account.pause(5);
  await waits;
  expect(time.nowMs()).toBe(60_000);
});

test("one account per address and key; the lowest limit holds, and what is spent is remembered", async () => {
  const { accounts, account, time } = open({});
  const of = (url: string, key: string | null, limits = {}) =>
    accounts.open(url, key === null ? null : new EndpointKey(key), limits);
  expect(of("https://x", null).account).toBe(account);
  const others = [of("https://y", null), of("https://x", "a"), of("https://x", "b")];
  expect(new Set([account, ...others.map((each) => each.account)]).size).toBe(4);
  const lease = of("https://z", "a", { requestsPerMinuteMax: 600 });
  lease.account.begin(7);
  lease.account.end(7, 7);
  lease[Symbol.dispose]();
  const again = of("https://z", "a", { requestsPerMinuteMax: 1 });
  expect(again.account.spentTokens).toBe(7);
  await again.account.admit(record, never);
  await again.account.admit(record, never);
  expect(time.nowMs()).toBe(60_000);
  const twice = of("https://z", "a");
  twice[Symbol.dispose]();
  twice[Symbol.dispose]();
  for (let i = 0; i < 300; i++) of(`https://${i}`, null)[Symbol.dispose]();
  expect(of("https://z", "a").account.spentTokens).toBe(7); // In use by `again`: never forgotten.
});
