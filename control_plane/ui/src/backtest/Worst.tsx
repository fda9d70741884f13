import { useValueNames } from "@/analytics/valueNames";
import type { BacktestOut } from "@/api/schema";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { amount, count } from "@/design/format";

type Who = BacktestOut["by_user"][number];

/** Whom it would have hit most. */
export function Worst({ told, counters }: { told: BacktestOut; counters: string }) {
  const nameOf = useValueNames();
  const lists = [
    ["Users", "user", told.by_user],
    ["Keys", "key", told.by_key],
    ...(counters && counters !== "user" && counters !== "key" ? [[`Each ${counters}`, counters, told.by_counter] as const] : []),
  ] as const;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      {lists.filter(([, , rows]) => rows.length > 0).map(([title, dimension, rows]) => (
        <Card key={title} title={title} hint="The most calls refused first" flush actions={<ExportButton name={`backtest-${dimension}`} head={[dimension, "refused calls", "refused"]} rows={() => rows.map((one) => [nameOf(dimension, one.name), one.refused_calls, one.refused])} />}>
          <Rows rows={rows} unit={told.unit} name={(one) => nameOf(dimension, one)} />
        </Card>
      ))}
    </div>
  );
}

function Rows({ rows, unit, name }: { rows: readonly Who[]; unit: string; name: (one: string) => string }) {
  return (
    <table className="w-full table-fixed text-left">
      <thead>
        <tr className="border-b border-line text-xs text-ink-3">
          <th scope="col" className="h-8 pl-4 font-medium">Name</th>
          <th scope="col" className="w-28 px-3 text-right font-medium">Calls refused</th>
          <th scope="col" className="w-32 pr-4 text-right font-medium">Amount</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((one) => (
          <tr key={one.name} className="h-9 border-b border-line last:border-0">
            <td className="truncate pl-4 font-medium" title={one.name}>{name(one.name)}</td>
            <td className="tabular px-3 text-right">{count(one.refused_calls)}</td>
            <td className="tabular pr-4 text-right text-ink-2">{amount(unit, one.refused)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
