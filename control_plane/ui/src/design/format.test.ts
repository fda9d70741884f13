import { expect, test } from "vitest";
import { amount, beginning, compact, dollars, duration, durations, percent, relative } from "./format";

test.each([
  ["1234.5", "$1,234.50"],
  ["0", "$0.00"],
  ["0.000615", "$0.00062"],
  ["0.000000001", "$0.000000001"],
  ["0.05", "$0.05"],
  ["0.0341", "$0.034"],
  [null, "–"],
])("money %s is shown as %s", (given, shown) => expect(dollars(given)).toBe(shown));

test("unknown is not zero", () => {
  expect([compact(null), percent(null), duration(null), amount("tokens", null)]).toEqual(["–", "–", "–", "–"]);
});

test.each([
  [0, "0 ms"],
  [0.4, "0.40 ms"],
  [840, "840 ms"],
  [2400, "2.40 s"],
  [75_000, "1m 15s"],
  [180_000, "3m"],
])("%s ms is shown as %s", (ms, shown) => expect(duration(ms)).toBe(shown));

test.each([
  [[0, 200, 400], ["0 ms", "200 ms", "400 ms"]],
  [[0, 500, 1000, 1500], ["0.0 s", "0.5 s", "1.0 s", "1.5 s"]],
  [[0, 20_000, 40_000, 60_000], ["0 s", "20 s", "40 s", "60 s"]],
  [[0.25, 0.5], ["0.25 ms", "0.50 ms"]],
  [[], []],
])("an axis at %j ms has one unit", (values, labels) => expect(durations(values)).toEqual(labels));

test("times are told by their distance", () => {
  expect(relative(0, 200_000)).toBe("3 minutes ago");
  expect(relative(2 * 86_400_000 + 1, 0)).toBe("in 2 days");
  expect(relative(5, 0)).toBe("just now");
});

test.each([
  ["2026-11-01T00:00:00Z", "Nov"],
  ["2026-11-23T00:00:00Z", "Nov 23"],
  ["2026-11-23T14:30:00Z", "14:30"],
])("a window from %s on is named %s", (at, name) => expect(beginning(Date.parse(at), "UTC")).toBe(name));
