import { expect, test } from "vitest";
import { seriesColor, stacked } from "./series";

test("bars stand on each other, and what is unknown adds nothing", () => {
  const series = [[1, null], [2, 3]].map((values) => ({ name: "", color: "", values }));
  expect(stacked(series)).toEqual([[1, 0], [3, 3]]);
});

test("others are quiet, whatever their place", () => {
  expect(seriesColor(0, true)).toBe("var(--color-series-8)");
  expect(seriesColor(7, false)).toBe(seriesColor(0, false));
});
