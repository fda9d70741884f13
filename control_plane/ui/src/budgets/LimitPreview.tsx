import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ShieldCheck, ShieldX } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { api } from "@/api/client";
import { explain, isProblem } from "@/api/problem";
import type { BacktestOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { amount, count, dollars, moment } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { zoneFault } from "./calendar";
import type { Unit } from "./limits";
import { PastBars } from "./PastBars";
import { askOf, barsOf, lookedBack, suggested, type Proposed } from "./preview";

const PAUSE_MS = 400;
const BARS_MAX = 30;
const STALE_MS = 60_000;

/** The last of what is typed, once nobody types any more. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

type Props = { proposed: Proposed; blocks: boolean; onSuggest: (limit: string) => void };

/** What windows came to, and what the limit that is being typed would have refused of it. */
export function LimitPreview({ proposed: typed, blocks, onSuggest }: Props) {
  // While the name of a zone is being typed it is none.
  const proposed = zoneFault(typed.timeZone) ? { ...typed, timeZone: "UTC" } : typed;
  const settled = useSettled(proposed);
  const text = JSON.stringify(settled);
  const asked = useMemo(() => askOf(settled, Date.now() / 1000), [text]);
  const { data, error, isFetching, isPlaceholderData } = useQuery({
    queryKey: ["post", "/v1/backtest", asked],
    queryFn: async ({ signal }) => (await api.POST("/v1/backtest", { body: asked!, signal })).data!,
    enabled: asked !== undefined,
    placeholderData: keepPreviousData,
    staleTime: STALE_MS,
  });
  const bars = useMemo(() => (data ? barsOf(data, BARS_MAX) : []), [data]);
  if (proposed.unit === "concurrent") return null;
  const offer = suggested(bars, proposed.unit);
  return (
    <section className="rounded-lg border border-line bg-surface p-3" aria-label="What it would have refused" aria-busy={isFetching}>
      <div className="mb-2 flex min-h-7 items-center justify-between gap-3">
        <h3 className="text-xs font-medium text-ink-2">The last {lookedBack(proposed.window)}, by {proposed.window === "total" ? "all" : proposed.window}</h3>
        {offer && offer !== proposed.limit && <Button small look="quiet" onClick={() => onSuggest(offer)}>Take {amount(proposed.unit, offer)}</Button>}
      </div>
      {!data && !error && <Skeleton className="h-24 w-full" />}
      {error && !data && <p className="flex h-24 items-center justify-center px-4 text-center text-xs text-ink-3">{isProblem(error) ? explain(error) : "What was spent cannot be told now."}</p>}
      {data && bars.every((bar) => bar.through + bar.refused === 0) && <p className="flex h-24 items-center justify-center text-xs text-ink-3">Nothing was spent by such calls.</p>}
      {data && bars.some((bar) => bar.through + bar.refused > 0) && <PastBars bars={bars} limit={proposed.limit && !Number.isNaN(Number(proposed.limit)) ? Number(proposed.limit) : null} unit={proposed.unit} timeZone={proposed.timeZone} />}
      <div className="mt-2 min-h-10" role="status">{data && (isPlaceholderData || proposed.limit !== settled.limit ? <p className="text-xs text-ink-3">Calls are being replayed …</p> : <Verdict told={data} unit={proposed.unit} blocks={blocks} />)}</div>
    </section>
  );
}

/** What a limit would have done, in a sentence. */
function Verdict({ told, unit, blocks }: { told: BacktestOut; unit: Unit; blocks: boolean }) {
  if (told.limit === null) return <p className="text-xs text-ink-3">{count(told.calls)} calls, {amount(unit, told.spent)} in all. Type a limit to see what it would have refused.</p>;
  if (told.refused_calls === 0) {
    return <p className="flex items-start gap-1.5 text-xs text-good"><ShieldCheck size={14} className="mt-0.5 shrink-0" aria-hidden />It would have refused none of {count(told.calls)} calls.</p>;
  }
  const whom = [told.users > 0 && `${count(told.users)} ${told.users === 1 ? "user" : "users"}`, told.keys > 0 && `${count(told.keys)} ${told.keys === 1 ? "key" : "keys"}`].filter(Boolean).join(" and ");
  return (
    <p className="flex items-start gap-1.5 text-xs text-bad">
      <ShieldX size={14} className="mt-0.5 shrink-0" aria-hidden />
      <span>
        It {blocks ? "would have refused" : "refuses nothing, but would have been passed by"} {count(told.refused_calls)} of {count(told.calls)} calls, {dollars(told.refused_usd)}{whom && `, of ${whom}`}
        {told.first_refused_at_ms !== null && <>, first at {moment(told.first_refused_at_ms)}</>}.
        {told.unbounded_calls > 0 && ` ${count(told.unbounded_calls)} of them have no price and no ceiling.`}
      </span>
    </p>
  );
}
