import { $api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { compact, dollars, percent } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import type { Asked } from "./question";

/** Usage bucket by bucket, and what prompt caches saved. */
export function TokensCard({ query }: { query: Asked }) {
  const { data, error } = $api.useQuery("get", "/v1/metrics/tokens", { params: { query } });
  const cached = data?.cache_read_share == null ? null : data.cache_read_share * 100;
  return (
    <Card title="Tokens and caches" hint={data ? `${percent(cached)} of input was read from caches, ${dollars(data.saved_usd)} saved` : " "} actions={<ExportButton name="tokens" head={["bucket", "count", "cost usd"]} rows={() => data?.rows.map((row) => [row.bucket, row.count, row.cost_usd]) ?? []} />}>
      <ProblemNote problem={error} />
      {!data && !error && <Skeleton className="h-40 w-full" />}
      {data?.rows.length === 0 && <p className="py-8 text-center text-ink-3">Nothing was counted in this period.</p>}
      <ul className="divide-y divide-line">
        {data?.rows.map((row) => (
          <li key={row.bucket} className="tabular flex items-center justify-between gap-4 py-2">
            <span className="truncate">{row.bucket.replaceAll("_", " ")}</span>
            <span className="shrink-0 text-ink-3">{compact(row.count)} <span className="inline-block min-w-20 text-right text-ink">{dollars(row.cost_usd)}</span></span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
