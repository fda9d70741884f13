import { expect, test } from "vitest";
import { stepOf } from "./steps";

test.each([
  [undefined, false, false, "project"],
  [undefined, true, false, "key"],
  ["call", true, true, "call"],
  ["call", true, false, "key"],
  ["budget", false, false, "project"],
  ["budget", true, false, "budget"],
  ["nonsense", true, true, "key"],
] as const)("an address that says %s, with project %s and secret %s, is at %s", (said, project, secret, step) => {
  expect(stepOf(said, project, secret)).toBe(step);
});
