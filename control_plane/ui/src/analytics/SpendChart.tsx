import { useMemo, useState } from "react";
import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import type { Series, Timeseries } from "@/api/schema";
import { Card } from "@/design/Card";
import { Select } from "@/design/Field";
import { compact, dollarsShort } from "@/design/format";
import { Segments } from "@/design/Segments";
import { ExportButton } from "./ExportButton";
import { LazyChart } from "./LazyChart";
import type { Asked } from "./question";
import { seriesColor, type ChartSeries } from "./series";
import { useValueNames, type NameOf } from "./valueNames";

const LIVE_MS = 15_000;
const MEASURES = [["cost", "Spend"], ["calls", "Calls"], ["tokens", "Tokens"]] as const;
type Measure = (typeof MEASURES)[number][0];
const BYS = ["model", "project", "key", "team", "route", "provider"] as const;
type By = (typeof BYS)[number];

function measured(measure: Measure, total: Series["total"]): number | null {
  if (measure === "cost") return total.cost_usd === null ? null : Number(total.cost_usd);
  if (measure === "calls") return total.calls;
  return total.tokens_in === null && total.tokens_out === null ? null : (total.tokens_in ?? 0) + (total.tokens_out ?? 0);
}

function drawn(data: Timeseries | undefined, measure: Measure, nameOf: NameOf): { timesS: number[]; series: ChartSeries[] } {
  const first = data?.series[0];
  if (!first) return { timesS: [], series: [] };
  const series = data.series.map((one, index) => ({
    name: one.value === null ? (data.by ? "All others" : "All") : nameOf(data.by ?? "", one.value),
    color: seriesColor(index, one.value === null && data.by !== null),
    values: one.points.map((point) => measured(measure, point.total)),
  }));
  return { timesS: first.points.map((point) => point.at_ms / 1000), series };
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

type Props = { query: Asked; title?: string; onPick?: (from: string, to: string) => void };

/** What was spent over time, by what; a stretch that is dragged over becomes the period. */
export function SpendChart({ query, title = "Over time", onPick }: Props) {
  const [measure, setMeasure] = useState<Measure>("cost");
  const [by, setBy] = useState<By>("model");
  const nameOf = useValueNames();
  const { data, error, refetch } = $api.useQuery("get", "/v1/metrics/timeseries", { params: { query: { ...query, by } } }, { refetchInterval: LIVE_MS, placeholderData: (before) => before });
  const { timesS, series } = useMemo(() => drawn(data, measure, nameOf), [data, measure, nameOf]);
  if (error && !data) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  const table = { head: ["at", ...series.map((one) => one.name)], rows: () => timesS.map((at, index) => [iso(at), ...series.map((one) => one.values[index])]) };
  return (
    <Card
      title={title}
      actions={
        <>
          <Segments label="What is shown" value={measure} options={MEASURES} onChange={setMeasure} />
          <div className="w-28"><Select aria-label="Chart told apart by" value={by} onChange={(event) => setBy(event.target.value as By)}>{BYS.map((id) => <option key={id} value={id}>by {id}</option>)}</Select></div>
          <ExportButton name={`${measure}-by-${by}`} {...table} />
        </>
      }
    >
      <LazyChart
        ready={Boolean(data)}
        label={`${MEASURES.find(([id]) => id === measure)![1]} over time by ${by}`}
        timesS={timesS}
        series={series}
        kind="bars"
        format={measure === "cost" ? dollarsShort : compact}
        onPick={onPick && ((fromS, toS) => onPick(iso(fromS), iso(toS)))}
      />
    </Card>
  );
}
