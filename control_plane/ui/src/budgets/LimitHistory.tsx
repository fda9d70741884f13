import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useMemo } from "react";
import { $api, api } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import type { HistoryOut } from "@/api/schema";
import { Actor } from "@/auth/Actor";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { ExportButton } from "@/design/ExportButton";
import { amount, relative } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { Time } from "@/design/Time";
import type { Limit } from "./limits";
import { PastBars } from "./PastBars";
import { askOf, barsOf, lookedBack } from "./preview";

const BARS_MAX = 30;
const STALE_MS = 60_000;

/** What windows came to before, which thresholds were crossed, and who let calls through. */
export function LimitHistory({ limit }: { limit: Limit }) {
  const budget = $api.useQuery("get", "/v1/budgets/{budget_id}/history", { params: { path: { budget_id: limit.id } } }, { enabled: limit.kind === "budget" });
  const quota = $api.useQuery("get", "/v1/quotas/{quota_id}/history", { params: { path: { quota_id: limit.id } } }, { enabled: limit.kind === "quota" });
  const { data, error } = limit.kind === "budget" ? budget : quota;
  const mayRead = useMay("audit:read");
  return (
    <div className="flex flex-col gap-5">
      {limit.unit !== "concurrent" && <Windows limit={limit} />}
      <ProblemNote problem={error} />
      {!data && !error && <Skeleton className="h-40 w-full" />}
      {data && <Crossings limit={limit} crossed={data.crossed} />}
      {data && <Overrides limit={limit} overrides={data.overrides} />}
      {mayRead && <Link to="/audit" search={{ subject: `${limit.kind}:${limit.id}` }} className="w-fit font-medium text-accent-ink hover:underline">Every change, in the audit log</Link>}
    </div>
  );
}

function Windows({ limit }: { limit: Limit }) {
  const asked = useMemo(
    () => askOf({ unit: limit.unit, limit: "", window: limit.window, projectId: limit.projectId ?? "", scope: limit.scope, timeZone: limit.timeZone, ceilingUsd: "" }, Date.now() / 1000)!,
    [limit],
  );
  const { data, error } = useQuery({
    queryKey: ["post", "/v1/backtest", asked],
    queryFn: async ({ signal }) => (await api.POST("/v1/backtest", { body: asked, signal })).data!,
    staleTime: STALE_MS,
  });
  const bars = data ? barsOf(data, BARS_MAX) : [];
  return (
    <section>
      <div className="mb-1.5 flex items-center justify-between">
        <h3 className="font-medium">The last {lookedBack(limit.window)}</h3>
        <ExportButton name="windows" head={["window", "starts at", limit.unit]} rows={() => bars.map((bar) => [bar.name, new Date(bar.startsAtS * 1000).toISOString(), bar.through])} />
      </div>
      <ProblemNote problem={error} />
      {!data && !error && <Skeleton className="h-24 w-full" />}
      {data && <PastBars bars={bars} limit={limit.limit === null ? null : Number(limit.limit)} unit={limit.unit} timeZone={limit.timeZone} />}
    </section>
  );
}

function Crossings({ limit, crossed }: { limit: Limit; crossed: HistoryOut["crossed"] }) {
  return (
    <section>
      <h3 className="mb-1.5 font-medium">Thresholds that were reached</h3>
      {crossed.length === 0 && <p className="text-ink-3">None so far.</p>}
      <ul className="flex flex-col gap-1.5">
        {crossed.map((one) => (
          <li key={`${one.fired_at_ms}${one.percent}${Object.values(one.values).join()}`} className="flex items-center justify-between gap-4">
            <span className="flex min-w-0 items-center gap-2">
              <Badge tone={one.percent >= 100 ? "bad" : "warn"}>{one.percent}%</Badge>
              <span className="tabular truncate text-ink-2">{amount(limit.unit, one.settled)} of {amount(limit.unit, one.limit)} {Object.values(one.values).join(", ")}</span>
            </span>
            <span className="shrink-0 text-ink-3"><Time ms={one.fired_at_ms} /></span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Overrides({ limit, overrides }: { limit: Limit; overrides: HistoryOut["overrides"] }) {
  return (
    <section>
      <h3 className="mb-1.5 font-medium">Overrides</h3>
      {overrides.length === 0 && <p className="text-ink-3">Nobody let calls through so far.</p>}
      <ul className="flex flex-col divide-y divide-line">
        {overrides.map((one) => {
          const endedMs = one.ended_at_ms ?? one.until_s * 1000;
          return (
            <li key={one.id} className="py-2">
              <div className="flex justify-between gap-4"><span className="font-medium">{one.limit === null ? "Nothing refused" : `Up to ${amount(limit.unit, one.limit)}`}</span><span className="shrink-0 text-ink-3"><Time ms={one.created_at_ms} /></span></div>
              <div className="text-xs text-ink-3">{one.reason && `${one.reason} · `}{endedMs > Date.now() ? "ends" : "ended"} {relative(endedMs, Date.now())} · <Actor id={one.created_by} /></div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
