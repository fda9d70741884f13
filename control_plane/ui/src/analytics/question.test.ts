import { expect, test } from "vitest";
import { activeFilters, asked, narrowing, questionOf, toggled } from "./question";

test("an address is a question, and nonsense in it is none", () => {
  const question = questionOf({ range: "24h", model: "gpt-4o", bucket: "hour", team: "", compare: "true", by: "weather" });
  expect(activeFilters(question)).toEqual([["model", ["gpt-4o"]]]);
  expect(asked(question)).toMatchObject({ range: "24h", model: ["gpt-4o"] });
  expect(asked(question)).not.toHaveProperty("compare");
  expect([question.compare, question.by]).toEqual([true, undefined]);
  expect(asked(questionOf({ range: "yesterday" }))).toMatchObject({ range: "7d" });
});

test("dates that are named take the place of a range", () => {
  const period = asked(questionOf({ range: "24h", from: "2026-09-01", to: "2026-09-08" }));
  expect(period).toMatchObject({ from: "2026-09-01", to: "2026-09-08" });
  expect(period).not.toHaveProperty("range");
});

test("a value is added to a filter and taken out again", () => {
  const one = toggled({}, "model", "gpt-4o");
  const two = toggled(one, "model", "o3");
  expect(asked(two).model).toEqual(["gpt-4o", "o3"]);
  expect(toggled(toggled(two, "model", "gpt-4o"), "model", "o3").model).toBeUndefined();
});

test("how charts show it is in the address, and narrows no list of calls", () => {
  const question = questionOf({ split: "team", speed: "ttft_ms", measure: "calls", by: "key", compare: "true", model: "gpt-4o" });
  expect(question).toMatchObject({ split: "team", speed: "ttft_ms", measure: "calls", by: "key", compare: true });
  expect(questionOf({ split: "weather", speed: "light" })).toMatchObject({ split: undefined, speed: undefined });
  expect(Object.keys(narrowing(question)).filter((name) => question[name as keyof typeof question] !== undefined)).toEqual(["model"]);
});
