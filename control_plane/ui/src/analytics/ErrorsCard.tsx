import { $api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { Badge } from "@/design/Badge";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { count, percent } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { outcomeTone, outcomeWords } from "./outcomes";
import type { Asked } from "./question";

const ROWS_MAX = 8;

/** Why calls did not end well. */
export function ErrorsCard({ query, onFilter }: { query: Asked; onFilter: (outcome: string) => void }) {
  const { data, error } = $api.useQuery("get", "/v1/metrics/errors", { params: { query: { ...query, limit: ROWS_MAX } } });
  return (
    <Card title="Errors and refusals" actions={<ExportButton name="errors" head={["outcome", "status", "refusal code", "provider", "calls"]} rows={() => data?.rows.map((row) => [row.outcome, row.status, row.refusal_code, row.provider, row.calls]) ?? []} />}>
      <ProblemNote problem={error} />
      {!data && !error && <Skeleton className="h-40 w-full" />}
      {data?.rows.length === 0 && <p className="py-8 text-center text-ink-3">Every call went well.</p>}
      <ul className="divide-y divide-line">
        {data?.rows.map((row) => (
          <li key={`${row.outcome}${row.status}${row.refusal_code}${row.provider}`} className="flex items-center justify-between gap-4 py-2">
            <button type="button" className="flex min-w-0 items-center gap-2 text-left hover:underline" onClick={() => onFilter(row.outcome)}>
              <Badge tone={outcomeTone(row.outcome)}>{row.status ?? "–"}</Badge>
              <span className="truncate">{row.refusal_code || outcomeWords(row.outcome)}</span>
              <span className="truncate text-ink-3">{row.provider}</span>
            </button>
            <span className="tabular shrink-0">{count(row.calls)} <span className="text-ink-3">{percent(row.share * 100, 1)}</span></span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
