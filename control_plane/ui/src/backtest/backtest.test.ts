// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { BacktestOut } from "@/api/schema";
import { parseSearch, stringifySearch } from "@/app/search";
import { askedOf, columnsOf, draftOf, faultsOf, isAsked, triedFrom, triedLike, triedOf } from "./backtest";

const draft = draftOf({ limit: "100.50", zone: "Europe/Berlin", scope: ["model:gpt:4o", "user:*"], price: ["gpt-4o|*|x0.85"], span: "7" });

test("what is tried is in the address, whole", () => {
  const address = stringifySearch(triedFrom(draft));
  expect(draftOf(triedOf(parseSearch(address)))).toEqual(draft);
  expect(draft.scope).toEqual({ model: "gpt:4o", user: "*" });
});

test("what an address may not say is as if it were not there", () => {
  expect(triedOf({ unit: "concurrent", scope: ["org:x", "user:*"], price: "nonsense", span: "8" })).toMatchObject({ unit: undefined, scope: ["user:*"], price: [], span: undefined });
  expect(isAsked(triedOf({}))).toBe(false);
  expect(isAsked(triedOf({ unit: "usd" }))).toBe(true);
});

test("the API is asked with the prices, and without them to compare", () => {
  expect(askedOf(draft, 1_000_059)).toMatchObject({ unit: "usd", limit: "100.50", project_id: null, time_zone: "Europe/Berlin", prices: [{ model: "gpt-4o", multiplier: "0.85" }], from_s: 1_000_080 - 7 * 86_400, to_s: 1_000_080 });
  expect(askedOf(draft, 0, false).prices).toEqual([]);
  expect(askedOf({ ...draft, unit: "requests", limit: " 600 ", ceiling: "3" }, 0)).toMatchObject({ limit: 600, ceiling_usd: null });
  expect(askedOf({ ...draft, limit: "" }, 0).limit).toBeNull();
});

test("a limit that there is can be tried", () => {
  const limit = { kind: "quota", id: "q", projectId: "prj_1", name: "", unit: "tokens", limit: 5, window: "week", blocks: true, thresholds: [], scope: { user: "*" }, timeZone: "UTC", ceilingUsd: null, createdAtMs: 0 } as const;
  expect(triedLike({ ...limit, thresholds: [] })).toMatchObject({ unit: "tokens", limit: "5", window: "week", project: "prj_1", zone: "UTC", scope: ["user:*"] });
});

test.each([
  [{ limit: "12.x" }, "limit"],
  [{ unit: "requests", limit: "1.5" } as const, "limit"],
  [{ zone: "Berlin" }, "zone"],
  [{ ceiling: "much" }, "ceiling"],
  [{ window: "minute", span: "90" } as const, "span"],
])("%o is not asked for %s", (change, field) => expect(Object.keys(faultsOf({ ...draft, ...change }))).toEqual([field]));

test("windows without a call are drawn, and a limit far above is not", () => {
  const window = (starts_at_s: number, let_through: string, refused: string) => ({ starts_at_s, let_through, refused });
  const told = { limit: "12", from_s: 0, to_s: 200, windows: [window(0, "3", "1"), window(120, "2", "0")] } as unknown as BacktestOut;
  expect(columnsOf(told, "minute", "UTC")).toEqual({ timesS: [0, 60, 120, 180], through: [3, 0, 2, 0], refused: [1, 0, 0, 0], limit: 12, isFarAbove: false });
  expect(columnsOf({ ...told, limit: "100" }, "total", "UTC")).toMatchObject({ limit: null, isFarAbove: true });
  expect(columnsOf({ ...told, limit: null }, "total", "UTC")).toMatchObject({ limit: null, isFarAbove: false });
});
