import { clsx } from "clsx";
import { amount, beginning, moment } from "@/design/format";
import type { Unit } from "./limits";
import { reach, type Bar } from "./preview";

type Props = { bars: readonly Bar[]; limit: number | null; unit: Unit; timeZone?: string };

const NAMED_MAX = 8;

/** What windows came to, with the limit drawn over them; red is what it refuses. */
export function PastBars({ bars, limit, unit, timeZone }: Props) {
  const top = reach(bars, limit);
  const height = (value: number) => `${(value / top) * 100}%`;
  const isInSight = limit !== null && limit <= top;
  return (
    <div>
      <div className="relative flex h-24 items-end gap-1 border-b border-line-strong" role="img" aria-label={`What the last ${bars.length} windows came to`}>
        {bars.map((bar) => (
          <div key={bar.startsAtS} className="flex h-full min-w-0 max-w-14 flex-1 flex-col justify-end" title={`${moment(bar.startsAtS * 1000)}: ${amount(unit, bar.through + bar.refused)}${bar.refusedCalls ? `, ${amount(unit, bar.refused)} refused` : ""}`}>
            <div className="rounded-t-xs bg-danger" style={{ height: height(bar.refused) }} />
            <div className={clsx("bg-accent", bar.refused === 0 && "rounded-t-xs", bar.isNow && "opacity-55")} style={{ height: height(bar.through) }} />
          </div>
        ))}
        {isInSight && (
          <div className="pointer-events-none absolute inset-x-0 border-t border-dashed border-ink" style={{ bottom: height(limit) }}>
            <span className={clsx("tabular absolute right-0 rounded-sm bg-raised px-1 text-xs font-medium", limit / top > 0.8 ? "top-0.5" : "bottom-0.5")}>{amount(unit, limit)}</span>
          </div>
        )}
        {limit !== null && !isInSight && <span className="tabular absolute right-0 top-0 rounded-sm bg-raised px-1 text-xs text-ink-3">The limit, {amount(unit, limit)}, is far above</span>}
      </div>
      {bars.length <= NAMED_MAX ? (
        <div aria-hidden className="mt-1 flex gap-1 text-center text-xs text-ink-3">{bars.map((bar) => <span key={bar.startsAtS} className="min-w-0 max-w-14 flex-1 truncate">{beginning(bar.startsAtS * 1000, timeZone)}</span>)}</div>
      ) : (
        <div aria-hidden className="mt-1 flex justify-between text-xs text-ink-3"><span>{beginning(bars[0]!.startsAtS * 1000, timeZone)}</span><span>now</span></div>
      )}
    </div>
  );
}
