import { CircleCheck } from "lucide-react";
import { useState } from "react";
import type { RowOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { Table, type Column } from "@/design/Table";
import { useWide } from "@/design/width";
import { providerName } from "@/providers/providers";
import { ErrorBar } from "./ErrorBar";
import { unmatched, type Billed } from "./mappings";
import { difference, MEASURES, TO_LOOK_AT, told, VERDICTS } from "./sources";

const SHOWN_EACH = 50;

const columnsOf = (onMap: ((name: Billed) => void) | undefined): Column<RowOut>[] => [
  { key: "day", head: "Day", from: "sm", cell: (row) => <span className="whitespace-nowrap text-ink-2">{row.day}</span> },
  {
    key: "model",
    head: "Model",
    cell: (row) => (
      <div className="max-w-36 py-1.5 sm:max-w-56">
        <div className="truncate font-medium">{row.model === "*" ? "All models together" : row.model || "(none)"}</div>
        <div className="text-xs text-ink-3 md:truncate"><span className="text-ink-2 md:hidden">{MEASURES[row.compared]}<br /></span>{providerName(row.provider)}<span className="sm:hidden">, {row.day}</span>{row.named === "none" && row.theirs !== null && row.model !== "*" && ", a name of the bill's own"}{row.named === "mapped" && `, billed as ${row.billed.join(", ")}`}</div>
        <VerdictBelow of={row} />
        {onMap && unmatched(row) && <button type="button" className="text-xs font-medium text-accent-ink hover:underline" onClick={() => onMap(unmatched(row)!)}>Which model?</button>}
      </div>
    ),
  },
  { key: "compared", head: "What", from: "md", cell: (row) => <span className="whitespace-nowrap text-ink-2">{MEASURES[row.compared]}</span> },
  { key: "ours", head: "Gateways", numeric: true, from: "md", cell: (row) => told(row.compared, row.ours) },
  { key: "theirs", head: "Provider", numeric: true, from: "md", cell: (row) => told(row.compared, row.theirs) },
  {
    key: "delta",
    head: "Difference",
    numeric: true,
    cell: (row) => (
      <div className="whitespace-nowrap py-1">
        <div className={TO_LOOK_AT.includes(row.verdict) ? "font-medium text-bad" : ""}>{difference(row.compared, row.delta)}</div>
        {row.error !== null && Number(row.error) > 0 && <div className="text-xs text-ink-3">± {told(row.compared, row.error)}</div>}
      </div>
    ),
  },
  {
    key: "bar",
    head: <span className="sr-only">Beside the error</span>,
    from: "lg",
    cell: (row) => row.delta !== null && Number(row.delta) !== 0 && <ErrorBar delta={Number(row.delta)} error={row.error === null ? null : Number(row.error)} bad={TO_LOOK_AT.includes(row.verdict)} label={row.error === null ? "The error is not known" : `Ours may be off by ${told(row.compared, row.error)}`} />,
  },
  { key: "verdict", head: "Verdict", from: "sm", cell: (row) => <Verdict of={row} /> },
];

function Verdict({ of: { verdict } }: { of: RowOut }) {
  const { tone, name, means } = VERDICTS[verdict];
  return <span title={means}><Badge tone={tone} dot>{name}</Badge></span>;
}

/** Where there is no room for a column of them. */
function VerdictBelow({ of }: { of: RowOut }) {
  return useWide("sm") ? null : <div className="mt-1"><Verdict of={of} /></div>;
}

/** Row after row, some at a time: a quarter of a large account is some ten thousand. */
export function ReportTable({ rows, onMap }: { rows: RowOut[]; onMap?: (name: Billed) => void }) {
  const [shown, setShown] = useState(SHOWN_EACH);
  return (
    <>
      <Table
        label="Differences"
        columns={columnsOf(onMap)}
        rows={rows.slice(0, shown)}
        rowKey={(row) => `${row.day} ${row.provider} ${row.model} ${row.compared}`}
        empty={<EmptyState icon={<CircleCheck size={18} />} title="Nothing to look at here">No row of these days is of this kind.</EmptyState>}
      />
      {rows.length > shown && <div className="mt-3 flex justify-center"><Button onClick={() => setShown(shown + SHOWN_EACH)}>Show more of {rows.length}</Button></div>}
    </>
  );
}
