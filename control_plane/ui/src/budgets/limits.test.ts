// @vitest-environment jsdom
import { expect, test } from "vitest";
import { scopeWords, title } from "./limits";

const limit = { name: "", unit: "requests", window: "minute", scope: {} } as const;

test.each([
  [{}, "Requests a minute"],
  [{ scope: { user: "*" } }, "Requests a minute of each user"],
  [{ unit: "usd", window: "month" } as const, "Spend a month"],
  [{ unit: "concurrent", window: "total" } as const, "Calls at a time"],
  [{ unit: "tokens", window: "total" } as const, "Tokens in all"],
  [{ name: "Checkout" }, "Checkout"],
])("%o is called %s", (difference, name) => expect(title({ ...limit, ...difference })).toBe(name));

test("a scope is told in words", () => {
  expect(scopeWords({ model: "gpt-4o", user: "*" })).toEqual(["model gpt-4o", "each user"]);
});
