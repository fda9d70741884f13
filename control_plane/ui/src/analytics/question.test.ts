import { expect, test } from "vitest";
import { activeFilters, asked, questionOf } from "./question";

test("an address is a question, and nonsense in it is none", () => {
  const question = questionOf({ range: "24h", model: "gpt-4o", bucket: "hour", team: "" });
  expect(activeFilters(question)).toEqual([["model", "gpt-4o"]]);
  expect(asked(question)).toMatchObject({ range: "24h", model: ["gpt-4o"] });
  expect(asked(questionOf({ range: "yesterday" }))).toMatchObject({ range: "7d" });
});

test("dates that are named take the place of a range", () => {
  const period = asked(questionOf({ range: "24h", from: "2026-09-01", to: "2026-09-08" }));
  expect(period).toMatchObject({ from: "2026-09-01", to: "2026-09-08" });
  expect(period).not.toHaveProperty("range");
});
