import { expect, test } from "vitest";
import { away, dayOfYear, rounded, shortened, sign, timeOfDay } from "./numerals";

const EXACT = [0, 1, 9.995, 10, 999, 999.5, 1000, 1234.5, 12_345.678, 1_234_567.891, 0.1 + 0.2, 1.005, 2.675, 0.05, 0.000615, 1e-7, 1.5e-9, 99_999_999.99];
const SIZES = [0, 0.04, 0.05, 5, 12.34, 99.95, 999, 999.94, 999.95, 1000, 1049, 1050, 1234, 12_345, 99_950, 999_949, 999_950, 1_234_567, 2_500_000_000, 7_654_321_000_000];

test.each([[0, 0], [2, 2], [0, 1], [0, 3], [2, 9]])("numbers of %s to %s digits are written as English is", (minimumFractionDigits, maximumFractionDigits) => {
  const english = new Intl.NumberFormat("en-US", { minimumFractionDigits, maximumFractionDigits });
  expect(EXACT.map((value) => rounded(value, minimumFractionDigits, maximumFractionDigits))).toEqual(EXACT.map((value) => english.format(value)));
});

test("sizes are shortened as English shortens them", () => {
  const english = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
  const both = SIZES.flatMap((value) => (value < 1 ? [value] : [value, -value]));
  expect(both.map(shortened)).toEqual(both.map((value) => english.format(value)));
});

test.each(["second", "minute", "hour", "day", "month", "year"] as const)("distances in %ss are told as English tells them", (unit) => {
  const english = new Intl.RelativeTimeFormat("en-US", { numeric: "auto" });
  const counts = [-1200, -30, -2, -1, 1, 2, 30];
  expect(counts.map((count) => away(count, unit))).toEqual(counts.map((count) => english.format(count, unit)));
});

test("days and times are written as English writes them", () => {
  const moments = Array.from({ length: 24 }, (_, index) => new Date(2026, index % 12, index + 1, index, index * 2));
  const date = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric" });
  const time = new Intl.DateTimeFormat("en-US", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  expect(moments.map(dayOfYear)).toEqual(moments.map((at) => date.format(at)));
  expect(moments.map(timeOfDay)).toEqual(moments.map((at) => time.format(at)));
});

test("only what is below zero has a sign", () => expect([-1, 0, 1].map(sign)).toEqual(["-", "", ""]));
