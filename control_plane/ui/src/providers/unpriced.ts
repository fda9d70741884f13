import type { CostRow } from "@/api/schema";

export type Unpriced = { model: string; calls: number };

/** Models with calls whose usage is known and whose cost is not, the most first; those that got a price since are left out. */
export function unpricedOf(rows: readonly CostRow[], pricedModels: readonly string[]): Unpriced[] {
  return rows
    .map((row) => ({ model: row.value, calls: row.total.unpriced_calls - (row.total.unmetered_calls ?? 0) }))
    .filter((one) => one.model !== "" && one.calls > 0 && !pricedModels.includes(one.model))
    .toSorted((a, b) => b.calls - a.calls);
}
