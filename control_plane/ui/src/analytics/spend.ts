import type { Series, Timeseries } from "@/api/schema";
import type { Measure } from "./question";
import { seriesColor, type ChartSeries } from "./series";
import type { NameOf } from "./valueNames";

export function measured(measure: Measure, total: Series["total"]): number | null {
  if (measure === "cost") return total.cost_usd === null ? null : Number(total.cost_usd);
  if (measure === "calls") return total.calls;
  return total.tokens_in === null && total.tokens_out === null ? null : (total.tokens_in ?? 0) + (total.tokens_out ?? 0);
}

/** The answer as a chart takes it: a series for each value, all others together last. */
export function drawn(data: Timeseries | undefined, measure: Measure, nameOf: NameOf): { timesS: number[]; series: ChartSeries[] } {
  const first = data?.series[0];
  if (!first) return { timesS: [], series: [] };
  const series = data.series.map((one, index) => ({
    name: one.value === null ? (data.by ? "All others" : "All") : nameOf(data.by ?? "", one.value),
    color: seriesColor(index, one.value === null && data.by !== null),
    values: one.points.map((point) => measured(measure, point.total)),
  }));
  return { timesS: first.points.map((point) => point.at_ms / 1000), series };
}

/** All series of the period before as one, point under point. */
export function pastOf(data: Timeseries | undefined, measure: Measure): ChartSeries | undefined {
  const length = data?.series[0]?.points.length;
  if (!data?.previous || length === undefined) return undefined;
  const previous = data.previous;
  const values = Array.from({ length }, (_, at) => {
    const known = previous.map((one) => one.points[at]).filter((point) => point !== undefined).map((point) => measured(measure, point.total));
    return known.length ? known.reduce<number>((sum, value) => sum + (value ?? 0), 0) : null;
  });
  return { name: "The period before", color: "var(--color-ink-2)", values, dashed: true };
}
