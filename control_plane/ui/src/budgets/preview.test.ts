// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { BacktestOut } from "@/api/schema";
import { askOf, barsOf, reach, suggested, type Bar, type Proposed } from "./preview";

const proposed: Proposed = { unit: "usd", limit: "100.50", window: "month", projectId: "", scope: {}, timeZone: "UTC", ceilingUsd: "" };
const bar = (through: number, refused = 0): Bar => ({ name: "", startsAtS: 0, through, refused, refusedCalls: 0, isNow: false });

test("what is typed is a question, a limit of nothing shows what was spent", () => {
  expect(askOf(proposed, 1_000_059)).toMatchObject({ limit: "100.50", project_id: null, to_s: 1_000_080 });
  expect(askOf({ ...proposed, limit: "" }, 0)).toMatchObject({ limit: null });
  expect(askOf({ ...proposed, unit: "requests", limit: "600", window: "minute" }, 7200)).toMatchObject({ limit: 600, from_s: 3600 });
});

test.each([{ limit: "12." }, { limit: "x" }, { unit: "requests", limit: "1.5" } as const, { unit: "concurrent", limit: "5" } as const])("%o is not asked", (change) => {
  expect(askOf({ ...proposed, ...change }, 0)).toBeUndefined();
});

test("the newest windows are shown, and the one of now is told apart", () => {
  const window = (starts_at_s: number, ends_at_s: number) => ({ name: String(starts_at_s), starts_at_s, ends_at_s, let_through: "3.00", refused: "1.00", refused_calls: 2 });
  const told = { from_s: 50, to_s: 250, windows: [window(0, 100), window(100, 200), window(200, 300)] } as unknown as BacktestOut;
  expect(barsOf(told, 10)).toMatchObject([{ name: "0" }, { name: "100", through: 3, refused: 1, isNow: false }, { name: "200", isNow: true }]);
  expect(barsOf(told, 1)).toHaveLength(1);
});

test.each([
  [[bar(52), bar(10, 30)], "usd", "63"],
  [[bar(0.0031)], "usd", "0.0038"],
  [[bar(812)], "requests", "980"],
  [[bar(0)], "usd", undefined],
] as const)("of %o %s a fifth more is %s", (bars, unit, amount) => expect(suggested(bars, unit)).toBe(amount));

test("a limit far above leaves the bars to be seen", () => {
  expect(reach([bar(10)], 15)).toBeCloseTo(16.5);
  expect(reach([bar(10)], 1000)).toBeCloseTo(44);
  expect(reach([], null)).toBe(1);
});
