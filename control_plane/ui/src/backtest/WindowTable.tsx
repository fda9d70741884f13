import { useState } from "react";
import type { BacktestOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { amount, count, dollars, moment } from "@/design/format";
import { Table, type Column } from "@/design/Table";

const SHOWN_EACH = 20;
type Row = BacktestOut["windows"][number];

/** The newest window first. */
export function WindowTable({ told, timeZone }: { told: BacktestOut; timeZone: string }) {
  const [shown, setShown] = useState(SHOWN_EACH);
  const rows = [...told.windows].reverse();
  const columns: Column<Row>[] = [
    { key: "name", head: "Window", cell: (one) => <span className="tabular whitespace-nowrap font-medium" title={moment(one.starts_at_s * 1000, timeZone)}>{one.name}</span> },
    { key: "calls", head: "Calls", numeric: true, from: "md", cell: (one) => count(one.calls) },
    { key: "spent", head: told.unit === "usd" ? "Spent" : "Used", numeric: true, cell: (one) => <span className="whitespace-nowrap">{amount(told.unit, one.spent)}</span> },
    ...(told.limit === null
      ? []
      : ([
          { key: "through", head: "Let through", numeric: true, from: "sm", cell: (one) => <span className="whitespace-nowrap">{amount(told.unit, one.let_through)}</span> },
          { key: "refused", head: "Refused", numeric: true, cell: (one) => (one.refused_calls ? <span className="font-medium text-bad">{count(one.refused_calls)}</span> : <span className="text-ink-3">0</span>) },
          { key: "usd", head: "Not spent", numeric: true, from: "md", cell: (one) => dollars(one.refused_usd) },
          { key: "first", head: "First refused", numeric: true, from: "lg", cell: (one) => <span className="whitespace-nowrap text-ink-2">{one.first_refused_at_ms === null ? "–" : moment(one.first_refused_at_ms, timeZone)}</span> },
        ] satisfies Column<Row>[])),
  ];
  return (
    <section>
      <Table label="Windows" columns={columns} rows={rows.slice(0, shown)} rowKey={(one) => one.name} empty={null} />
      {rows.length > shown && <div className="mt-3 flex justify-center"><Button onClick={() => setShown(shown + SHOWN_EACH)}>Show more of {count(rows.length)}</Button></div>}
    </section>
  );
}
