// @vitest-environment jsdom
import { expect, test } from "vitest";
import type { ReportOut, RowOut } from "@/api/schema";
import { modelsOf, unmatched } from "./mappings";

const row = (change: Partial<RowOut>): RowOut => ({ day: "2026-11-24", provider: "azure", model: "our-deployment", compared: "input", ours: 0, theirs: 1000, delta: 1000, error: 0, verdict: "bypass_suspected", calls: 0, named: "none", billed: ["Our-Deployment"], ...change });

test("a name that no call bears can mean a model of ours", () => {
  expect(unmatched(row({}))).toEqual({ provider: "azure", billed: "Our-Deployment" });
});

test.each([{ calls: 3 }, { theirs: null }, { named: "mapped" as const }, { billed: [] }, { billed: ["a", "b"] }])("%o can not", (change) => expect(unmatched(row(change))).toBeUndefined());

test("what is offered was called, at the same provider", () => {
  const rows = [row({}), row({ model: "gpt-4o", calls: 2 }), row({ model: "gpt-4o", calls: 2, compared: "output" }), row({ model: "*", calls: 2 }), row({ model: "claude", provider: "anthropic", calls: 1 })];
  expect(modelsOf({ rows } as ReportOut, "azure")).toEqual(["gpt-4o"]);
});
