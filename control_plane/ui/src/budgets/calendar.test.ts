// @vitest-environment jsdom
import { expect, test } from "vitest";
import { hasCalendar, windowEnd, zones, zoneFault } from "./calendar";

const at = Date.parse;

test.each([
  ["day", "UTC", "2026-11-26T12:45:00Z", "2026-11-27T00:00:00Z"],
  ["day", "Europe/Berlin", "2026-11-26T23:30:00Z", "2026-11-27T23:00:00Z"],
  // In autumn a day has 25 hours.
  ["day", "Europe/Berlin", "2026-10-24T22:30:00Z", "2026-10-25T23:00:00Z"],
  ["day", "America/New_York", "2026-11-26T03:00:00Z", "2026-11-26T05:00:00Z"],
  ["week", "Europe/Berlin", "2026-11-26T12:00:00Z", "2026-11-29T23:00:00Z"],
  ["week", "UTC", "2026-11-30T00:00:00Z", "2026-12-07T00:00:00Z"],
  ["month", "Asia/Tokyo", "2026-11-30T16:00:00Z", "2026-12-31T15:00:00Z"],
  ["month", "UTC", "2026-12-05T00:00:00Z", "2027-01-01T00:00:00Z"],
  ["hour", "Asia/Kolkata", "2026-11-26T12:45:30Z", "2026-11-26T13:30:00Z"],
] as const)("a %s in %s that holds %s ends at %s", (window, zone, moment, end) => expect(windowEnd(window, zone, at(moment))).toBe(at(end)));

test("a minute ends everywhere at once", () => expect(windowEnd("minute", "Asia/Kolkata", at("2026-11-26T12:45:30Z"))).toBe(at("2026-11-26T12:46:00Z")));

test("what has no calendar ends nowhere", () => {
  expect([hasCalendar("concurrent", "total"), hasCalendar("usd", "total"), hasCalendar("requests", "minute"), hasCalendar("usd", "month")]).toEqual([false, false, false, true]);
  expect(windowEnd("total", "UTC", 0)).toBeUndefined();
});

test.each(["UTC", "Europe/Berlin", "Asia/Kolkata"])("%s is a zone", (zone) => {
  expect(zoneFault(zone)).toBeUndefined();
  expect(zones()).toContain("UTC");
});
test.each(["", "Berlin", "+02:00", "Europe/Nowhere"])("%s is none", (zone) => expect(zoneFault(zone)).toMatch("no such zone"));
