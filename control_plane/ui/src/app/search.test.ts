import { expect, test } from "vitest";
import { flag, oneOf, text } from "./search";

test("an address that says nonsense says nothing", () => {
  expect([text({}), text(""), flag("yes"), oneOf("x", ["a", "b"])]).toEqual([undefined, undefined, undefined, undefined]);
});

test("an address is read as it was written", () => {
  expect([text("prj_1"), text(5), flag("true"), oneOf("b", ["a", "b"])]).toEqual(["prj_1", "5", true, "b"]);
});
