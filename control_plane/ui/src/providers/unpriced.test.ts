import { expect, test } from "vitest";
import type { CostRow } from "@/api/schema";
import { unpricedOf } from "./unpriced";

const row = (value: string, unpriced_calls: number, unmetered_calls: number | null) => ({ value, total: { unpriced_calls, unmetered_calls } }) as unknown as CostRow;

test("a call of unknown usage says nothing of its model's price", () => {
  const rows = [row("gpt-4o", 2, 2), row("new-small", 3, 0), row("new-large", 9, 1), row("llama-4", 5, 0), row("", 4, 0)];
  expect(unpricedOf(rows, ["llama-4"])).toEqual([{ model: "new-large", calls: 8 }, { model: "new-small", calls: 3 }]);
});
