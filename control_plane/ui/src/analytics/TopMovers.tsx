import { Link } from "@tanstack/react-router";
import { $api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { dollars } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { Change } from "./Change";
import { asked } from "./question";

const SHOWN_MAX = 6;
const DAY = asked({ range: "24h" });

/** Models whose cost changed most since the day before. */
export function TopMovers() {
  const { data, error } = $api.useQuery("get", "/v1/metrics/cost-by-model", { params: { query: { ...DAY, sort: "change", compare: "previous", limit: SHOWN_MAX } } });
  return (
    <Card title="Top movers" hint="Models, the last 24 hours beside the 24 before" actions={<ExportButton name="top-movers" head={["model", "cost usd", "change"]} rows={() => data?.rows.map((row) => [row.value, row.total.cost_usd, row.change?.cost_share]) ?? []} />}>
      <ProblemNote problem={error} />
      {!data && !error && <Skeleton className="h-44 w-full" />}
      {data?.rows.length === 0 && <p className="py-10 text-center text-ink-3">No calls since yesterday.</p>}
      <ul className="divide-y divide-line">
        {data?.rows.map((row) => (
          <li key={row.value} className="tabular flex h-10 items-center justify-between gap-4">
            <Link to="/usage" search={{ range: "24h", model: [row.value] }} className="truncate font-medium hover:underline">{row.value || "(none)"}</Link>
            <span className="flex shrink-0 items-center gap-3 text-xs">
              {row.change?.cost_share != null ? <Change share={row.change.cost_share} worse /> : <span className="text-ink-3">new</span>}
              <span className="min-w-20 text-right text-sm">{dollars(row.total.cost_usd)}</span>
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
