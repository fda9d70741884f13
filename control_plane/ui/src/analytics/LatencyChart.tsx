import { useMemo } from "react";
import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { compact, duration, durations } from "@/design/format";
import { Segments } from "@/design/Segments";
import { LazyChart } from "./LazyChart";
import { SPEEDS, type Asked, type Range, type Speed } from "./question";
import type { ChartSeries } from "./series";

const PERCENTILES = [[50, "var(--color-series-2)"], [95, "var(--color-series-3)"], [99, "var(--color-series-4)"]] as const;
/** The API wants to be told how long a point of percentiles is. */
const BUCKETS: { [range in Range]?: "hour" | "6h" | "day" } = { "24h": "hour", "7d": "6h" };

const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

function shown(measure: Speed, value: number): string {
  return measure === "output_tokens_per_s" ? `${compact(value)}/s` : duration(value);
}

const SPEED_DEFAULT: Speed = "latency_ms";

type Props = { query: Asked; speed?: Speed; onSpeed: (speed: Speed | undefined) => void; onOpen: (from: string, to: string) => void };

export function LatencyChart({ query, speed: measure = SPEED_DEFAULT, onSpeed, onOpen }: Props) {
  const bucket: "hour" | "6h" | "day" = (query.range && BUCKETS[query.range]) ?? "day";
  const asking = { ...query, measure, p: PERCENTILES.map(([p]) => p), bucket } as const;
  const { data, error, refetch } = $api.useQuery("get", "/v1/metrics/latency-pctl", { params: { query: asking } }, { placeholderData: (before) => before });
  const points = data?.points;
  const timesS = useMemo(() => points?.map((point) => point.at_ms / 1000) ?? [], [points]);
  const series = useMemo(
    () => PERCENTILES.map(([p, color]): ChartSeries => ({ name: `P${p}`, color, values: points?.map((point) => point.percentiles.find((one) => one.p === p)?.value ?? null) ?? [] })),
    [points],
  );
  if (error && !data) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  return (
    <Card
      title="Latency"
      hint={data ? data.total.percentiles.map((one) => `P${one.p} ${shown(measure, one.value)}`).join(" · ") || "No call was measured" : " "}
      actions={
        <>
          <Segments label="What is measured" value={measure} options={SPEEDS} onChange={(next) => onSpeed(next === SPEED_DEFAULT ? undefined : next)} />
          <ExportButton name={measure} head={["at", ...series.map((one) => one.name)]} rows={() => timesS.map((at, index) => [iso(at), ...series.map((one) => one.values[index])])} />
        </>
      }
    >
      <LazyChart ready={Boolean(data)} label="Percentiles over time" timesS={timesS} series={series} kind="lines" format={(value) => shown(measure, value)} formatAxis={measure === "output_tokens_per_s" ? undefined : durations} onOpen={(fromS, toS) => onOpen(iso(fromS), iso(toS))} />
    </Card>
  );
}
