import { expect, test } from "vitest";
import { percents, percentsFault, usualThresholds } from "./thresholds";

test("percents are read however people separate them", () => {
  expect(percents("50, 80,90  100%")).toEqual([50, 80, 90, 100]);
  expect(percents(" ")).toEqual([]);
});

test.each([
  ["", undefined],
  ["50, 120", undefined],
  ["80, 50", "They have to rise: 50 stands behind 80."],
  ["50, 50", "They have to rise: 50 stands behind 50."],
  ["half", "Write whole numbers"],
  ["0", "Write whole numbers"],
  ["99.5", "Write whole numbers"],
  ["1001", "Write whole numbers"],
  [Array.from({ length: 21 }, (_, at) => at + 1).join(), "At most 20 of them."],
])("of %s is said: %s", (text, fault) => (fault ? expect(percentsFault(text)).toMatch(fault) : expect(percentsFault(text)).toBeUndefined()));

test("what is reached all day tells nothing by itself", () => {
  expect(usualThresholds("requests", "minute")).toBe("");
  expect(usualThresholds("concurrent", "total")).toBe("");
  expect(usualThresholds("tokens", "day")).toBe("50, 80, 90, 100");
});
