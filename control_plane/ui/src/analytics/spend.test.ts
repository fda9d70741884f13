// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { Timeseries } from "@/api/schema";
import { drawn, pastOf } from "./spend";

const point = (at_ms: number, cost_usd: string | null) => ({ at: "", at_ms, total: { cost_usd, calls: 1 } });
const told = {
  by: "model",
  series: [{ value: "gpt-4o", points: [point(1000, "2.00"), point(2000, null)] }, { value: null, points: [point(1000, "1.00"), point(2000, "1.00")] }],
  previous: [{ value: "gpt-4o", points: [point(0, "3.00")] }, { value: null, points: [point(0, "0.50")] }],
} as unknown as Timeseries;

test("what is unknown is drawn as nothing, and others are called so", () => {
  const { timesS, series } = drawn(told, "cost", (_, value) => value);
  expect(timesS).toEqual([1, 2]);
  expect(series.map((one) => [one.name, one.values])).toEqual([["gpt-4o", [2, null]], ["All others", [1, 1]]]);
});

test("the period before is one line, as far as it goes", () => {
  expect(pastOf(told, "cost")?.values).toEqual([3.5, null]);
  expect(pastOf({ ...told, previous: null }, "cost")).toBeUndefined();
});
