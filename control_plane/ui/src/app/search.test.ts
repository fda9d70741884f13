import { expect, test } from "vitest";
import { flag, oneOf, parseSearch, stringifySearch, text, texts } from "./search";

test("an address is read and written as people would", () => {
  const search = { model: ["gpt-4o", "o3"], team: ["payments"], from: "2026-09-01T10:00:00.000Z", new: true, open: undefined };
  const written = stringifySearch(search);
  expect(written).toBe("?model=gpt-4o&model=o3&team=payments&from=2026-09-01T10%3A00%3A00.000Z&new=true");
  expect(parseSearch(written)).toEqual({ model: ["gpt-4o", "o3"], team: "payments", from: "2026-09-01T10:00:00.000Z", new: "true" });
  expect(stringifySearch({})).toBe("");
});

test("what an address may not say is not there", () => {
  expect([text(""), text(7), text(["a", "b"]), flag("yes"), oneOf("x", ["y"])]).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect([texts("a"), texts(["a", "", "a", 7]), texts(undefined)]).toEqual([["a"], ["a"], undefined]);
  expect([flag("true"), flag(true), oneOf("y", ["y"]), text("5")]).toEqual([true, true, "y", "5"]);
});
