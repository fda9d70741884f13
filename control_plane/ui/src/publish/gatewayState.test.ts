import { expect, test } from "vitest";
import { gatewayState } from "./gatewayState";

test.each([
  [0, 0, "Up to date"],
  [0, 3, "3 changes behind"],
  [60_000, 0, "Not heard of"],
])("seen %s ms ago and %s changes behind it is %s", (age, behind, word) => {
  expect(gatewayState({ seen_at_ms: 1_000_000 - age, behind }, 1_000_000)[0]).toBe(word);
});
