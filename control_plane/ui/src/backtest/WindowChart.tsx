import { useMemo } from "react";
import { LazyChart } from "@/analytics/LazyChart";
import type { ChartSeries } from "@/analytics/series";
import type { BacktestOut } from "@/api/schema";
import { Card } from "@/design/Card";
import { ExportButton } from "@/design/ExportButton";
import { amount, compact, dollarsShort } from "@/design/format";
import { columnsOf, isApart, type Draft } from "./backtest";

type Props = { told: BacktestOut; before: BacktestOut | undefined; draft: Draft };

/** Each window with what is refused of it on top, under the limit, or beside the prices in force. */
export function WindowChart({ told, before, draft }: Props) {
  const apart = isApart(draft.scope);
  const columns = useMemo(() => columnsOf(told, draft.window, draft.zone), [told, draft]);
  const series = useMemo((): ChartSeries[] => {
    const through = { name: told.limit === null ? (before ? "At these prices" : "In fact") : "Let through", color: "var(--color-series-1)", values: columns.through };
    return told.limit === null ? [through] : [through, { name: "Refused", color: "var(--color-danger)", values: columns.refused }];
  }, [told, before, columns]);
  // Where each user has the limit for itself, no line over all of them means anything.
  const line = apart ? null : columns.limit;
  const past = useMemo((): ChartSeries | undefined => {
    if (line !== null) return { name: "The limit", color: "var(--color-ink-2)", dashed: true, values: columns.timesS.map(() => line) };
    const then = new Map(before?.windows.map((window) => [window.starts_at_s, Number(window.spent)]));
    return before && told.unit === "usd" ? { name: "At the prices in force", color: "var(--color-ink-2)", dashed: true, values: columns.timesS.map((at) => then.get(at) ?? 0) } : undefined;
  }, [line, before, told, columns]);
  if (columns.timesS.length < 2) return null;
  const hint = columns.isFarAbove && !apart ? `The limit, ${amount(told.unit, told.limit)}, is far above` : told.windows_more > 0 ? `The newest and the worst of ${told.windows.length + told.windows_more}` : "Each window from its own beginning";
  return (
    <Card
      title="Window by window"
      hint={hint}
      actions={<ExportButton name="backtest-windows" head={["window", "starts at", "calls", "spent", "let through", "refused calls", "refused", "refused usd", "users", "keys"]} rows={() => told.windows.map((one) => [one.name, new Date(one.starts_at_s * 1000).toISOString(), one.calls, one.spent, one.let_through, one.refused_calls, one.refused, one.refused_usd, one.users, one.keys])} />}
    >
      <LazyChart ready label="What each window came to, and what is refused of it" timesS={columns.timesS} series={series} past={past} kind="bars" format={told.unit === "usd" ? dollarsShort : compact} />
    </Card>
  );
}
