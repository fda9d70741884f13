import { expect, test } from "vitest";
import { nextPage } from "./nextPage";

test.each([
  ["?next=%2Fbudgets%3Ftab%3Dquotas", "/budgets?tab=quotas"],
  ["", "/"],
  ["?next=https://evil.example", "/"],
  ["?next=//evil.example", "/"],
  ["?next=/\\evil.example", "/"],
])("after signing in by %s the page is %s", (search, page) => expect(nextPage(search)).toBe(page));
