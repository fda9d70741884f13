// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { RowOut } from "@/api/schema";
import { byDay, daysOf, difference, worst } from "./sources";

const row = (provider: string, day: string) => ({ provider, day }) as RowOut;

test("a day is what is worst of it", () => {
  expect(worst(["matches", "bypass_suspected", "within_error"])).toBe("bypass_suspected");
  expect(worst([])).toBe("no_export");
});

test("rows stand under their provider and day", () => {
  const found = byDay([row("openai", "2026-11-01"), row("openai", "2026-11-02"), row("azure", "2026-11-01"), row("openai", "2026-11-01")]);
  expect([...found.keys()]).toEqual(["openai", "azure"]);
  expect(found.get("openai")!.get("2026-11-01")).toHaveLength(2);
});

test("days are all there, over the end of a month", () => {
  expect(daysOf("2026-10-30", "2026-11-02")).toEqual(["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"]);
});

test.each([
  ["cost", "1.50", "+$1.50"],
  ["cost", "-0.25", "−$0.25"],
  ["input", 1200, "+1,200"],
  ["input", 0, "0"],
  ["input", null, "–"],
] as const)("%s of %s is the difference %s", (compared, amount, words) => expect(difference(compared, amount)).toBe(words));
