import { expect, test } from "vitest";
import { csv } from "./csv";

test("what separates is quoted, and nothing becomes a formula", () => {
  expect(csv(["a", "b"], [['say "x", y', 1], ["=1+1", null], ["-5", -5]])).toBe('a,b\r\n"say ""x"", y",1\r\n\'=1+1,\r\n\'-5,-5\r\n');
});
