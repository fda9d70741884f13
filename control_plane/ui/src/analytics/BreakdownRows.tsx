import type { CostRow } from "@/api/schema";
import { compact, dollars, percent } from "@/design/format";
import { Change } from "./Change";
import type { NameOf } from "./valueNames";

type Props = { rows: CostRow[]; by: string; nameOf: NameOf; onFilter: (value: string) => void };

/** A row's length behind its name is its share of the largest. */
export function BreakdownRows({ rows, by, nameOf, onFilter }: Props) {
  if (rows.length === 0) return <p className="px-4 py-10 text-center text-ink-3">No calls in this period.</p>;
  const most = Math.max(...rows.map((row) => row.cost_share ?? 0));
  return (
    <table className="w-full table-fixed text-left">
      <thead>
        <tr className="border-b border-line text-xs text-ink-3">
          <th scope="col" className="h-8 w-1/2 pl-4 font-medium capitalize">{by}</th>
          <th scope="col" className="px-3 text-right font-medium">Calls</th>
          <th scope="col" className="w-36 px-3 text-right font-medium">Spend</th>
          <th scope="col" className="w-16 pr-4 text-right font-medium max-sm:hidden">Share</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.value} className="h-9 border-b border-line last:border-0 hover:bg-sunken/60">
            <td className="relative pl-4">
              <span aria-hidden className="absolute inset-y-1 left-2 rounded bg-accent-soft" style={{ width: `${most ? ((row.cost_share ?? 0) / most) * 94 : 0}%` }} />
              <button type="button" className="relative block max-w-full truncate text-left font-medium hover:underline" title={row.value} onClick={() => onFilter(row.value)}>{nameOf(by, row.value)}</button>
            </td>
            <td className="px-3 text-right text-ink-2">{compact(row.total.calls)}</td>
            <td className="whitespace-nowrap px-3 text-right">
              {row.change?.cost_share != null && <span className="mr-2 text-xs max-md:hidden"><Change share={row.change.cost_share} worse /></span>}
              <span className="font-medium">{dollars(row.total.cost_usd)}</span>
            </td>
            <td className="pr-4 text-right text-ink-2 max-sm:hidden">{percent(row.cost_share === null ? null : row.cost_share * 100)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
