import { replaceEqualDeep } from "@tanstack/react-query";
import { useMemo, useRef } from "react";
import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { Select } from "@/design/Field";
import { compact, dollarsShort } from "@/design/format";
import { Segments } from "@/design/Segments";
import { Toggle } from "@/design/Toggle";
import { LazyChart } from "./LazyChart";
import { BYS, MEASURES, type Asked, type By, type ChartView } from "./question";
import { drawn, pastOf } from "./spend";
import { useValueNames } from "./valueNames";

const LIVE_MS = 15_000;
const iso = (seconds: number) => new Date(seconds * 1000).toISOString();

/** The former value for as long as it says the same: names that come later are no reason to draw anew. */
function useUnlessEqual<T>(value: T): T {
  const kept = useRef(value);
  kept.current = replaceEqualDeep(kept.current, value) as T;
  return kept.current;
}

type Props = {
  query: Asked;
  title?: string;
  view: ChartView;
  onView: (view: ChartView) => void;
  /** A stretch that was dragged over. */
  onPick?: (from: string, to: string) => void;
  /** A bar that was pressed. */
  onOpen: (from: string, to: string) => void;
};

/** What was spent over time, by what, and beside it the period before. */
export function SpendChart({ query, title = "Over time", view, onView, onPick, onOpen }: Props) {
  const { measure = "cost", by = "model", compare } = view;
  const nameOf = useValueNames(by);
  const asking = { ...query, by, ...(compare ? { compare: "previous" as const } : {}) };
  const { data, error, refetch } = $api.useQuery("get", "/v1/metrics/timeseries", { params: { query: asking } }, { refetchInterval: LIVE_MS, placeholderData: (before) => before });
  const { timesS, series } = useUnlessEqual(useMemo(() => drawn(data, measure, nameOf), [data, measure, nameOf]));
  const past = useMemo(() => (compare ? pastOf(data, measure) : undefined), [data, measure, compare]);
  if (error && !data) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  const columns = [...series, ...(past ? [past] : [])];
  return (
    <Card
      title={title}
      hint={onPick ? "Press a bar for its calls, drag over some to look closer" : "Press a bar for its calls"}
      actions={
        <>
          <Toggle label="Compare" pressed={compare ?? false} onChange={(next) => onView({ ...view, compare: next || undefined })} />
          <Segments label="What is shown" value={measure} options={MEASURES} onChange={(next) => onView({ ...view, measure: next === "cost" ? undefined : next })} />
          <div className="w-28"><Select aria-label="Chart told apart by" value={by} onChange={(event) => onView({ ...view, by: event.target.value === "model" ? undefined : (event.target.value as By) })}>{BYS.map((id) => <option key={id} value={id}>by {id}</option>)}</Select></div>
          <ExportButton name={`${measure}-by-${by}`} head={["at", ...columns.map((one) => one.name)]} rows={() => timesS.map((at, index) => [iso(at), ...columns.map((one) => one.values[index])])} />
        </>
      }
    >
      <LazyChart
        ready={Boolean(data)}
        label={`${MEASURES.find(([id]) => id === measure)![1]} over time by ${by}`}
        timesS={timesS}
        series={series}
        past={past}
        kind="bars"
        format={measure === "cost" ? dollarsShort : compact}
        onPick={onPick && ((fromS, toS) => onPick(iso(fromS), iso(toS)))}
        onOpen={(fromS, toS) => onOpen(iso(fromS), iso(toS))}
      />
    </Card>
  );
}
