import { expect, test } from "vitest";
import { localOf, momentOf } from "./ownDates";

test("a minute goes through a field unchanged, and nonsense is nothing", () => {
  expect(momentOf(localOf("2026-03-29T01:30:00.000Z"))).toBe("2026-03-29T01:30:00.000Z");
  expect([localOf(undefined), localOf("soon"), momentOf("")]).toEqual(["", "", undefined]);
});
