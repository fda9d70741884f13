import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import { Card } from "@/design/Card";
import { Select } from "@/design/Field";
import { Skeleton } from "@/design/Skeleton";
import { BreakdownRows } from "./BreakdownRows";
import { ExportButton } from "@/design/ExportButton";
import { DIMENSIONS, type Asked, type Dimension } from "./question";
import { useValueNames } from "./valueNames";

const ROWS_MAX = 12;
const BY_DEFAULT: Dimension = "model";
const HEAD = ["calls", "tokens in", "tokens out", "cost usd"];

type Props = { query: Asked; by?: Dimension; onBy: (dimension: Dimension | undefined) => void; onFilter: (dimension: Dimension, value: string) => void; without?: Dimension };

/** Costs by one dimension, the largest first, beside the period before. */
export function Breakdown({ query, by: chosen = BY_DEFAULT, onBy, onFilter, without }: Props) {
  const by = chosen === without ? BY_DEFAULT : chosen;
  const nameOf = useValueNames(by);
  const { data, error, refetch } = $api.useQuery("get", `/v1/metrics/cost-by-${by}`, { params: { query: { ...query, compare: "previous", limit: ROWS_MAX } } });
  const offered = (Object.keys(DIMENSIONS) as Dimension[]).filter((one) => one !== without);
  const rows = () => data?.rows.map((row) => [nameOf(by, row.value), row.total.calls, row.total.tokens_in, row.total.tokens_out, row.total.cost_usd]) ?? [];
  return (
    <Card
      title="Where it goes"
      flush
      actions={
        <>
          <div className="w-28"><Select aria-label="Costs told apart by" value={by} onChange={(event) => onBy(event.target.value === BY_DEFAULT ? undefined : (event.target.value as Dimension))}>{offered.map((one) => <option key={one} value={one}>by {one}</option>)}</Select></div>
          <ExportButton name={`cost-by-${by}`} head={[by, ...HEAD]} rows={rows} />
        </>
      }
    >
      {error ? (
        <ProblemState problem={error} onRetry={() => void refetch()} />
      ) : data ? (
        <BreakdownRows rows={data.rows} by={by} nameOf={nameOf} onFilter={(value) => onFilter(by, value)} />
      ) : (
        <div className="p-4" aria-busy><Skeleton className="h-64 w-full" /></div>
      )}
    </Card>
  );
}
