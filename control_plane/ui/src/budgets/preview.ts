import type { BacktestAsk, BacktestOut } from "@/api/schema";
import type { Unit, Window } from "./limits";

const HOUR_S = 3600;
const DAY_S = 86_400;

/** How far back is looked, by window: some of them, and never more than the API replays at once. */
const LOOKED_BACK: Record<Window, { s: number; words: string }> = {
  minute: { s: HOUR_S, words: "hour" },
  hour: { s: 2 * DAY_S, words: "2 days" },
  day: { s: 30 * DAY_S, words: "30 days" },
  week: { s: 12 * 7 * DAY_S, words: "12 weeks" },
  month: { s: 183 * DAY_S, words: "6 months" },
  total: { s: 183 * DAY_S, words: "6 months" },
};

export type Proposed = { unit: Unit; limit: string; window: Window; projectId: string; scope: Record<string, string>; timeZone: string; ceilingUsd: string };

export function lookedBack(window: Window): string {
  return LOOKED_BACK[window].words;
}

/** What is typed so far, as the API is asked; nothing while it is no number, or cannot be replayed. */
export function askOf(proposed: Proposed, nowS: number): BacktestAsk | undefined {
  const { unit, limit, window } = proposed;
  if (unit === "concurrent") return undefined;
  const isNumber = limit.trim() === "" || (unit === "usd" ? /^\d+(\.\d{1,9})?$/ : /^\d+$/).test(limit.trim());
  if (!isNumber) return undefined;
  const amount = limit.trim() === "" ? null : unit === "usd" ? limit.trim() : Number(limit);
  // The same question for a minute, so that typing and coming back asks nothing anew; the API takes no more than until now.
  const toS = Math.ceil(nowS / 60) * 60;
  return {
    unit,
    limit: amount,
    window,
    project_id: proposed.projectId || null,
    scope: proposed.scope,
    time_zone: proposed.timeZone,
    ceiling_usd: proposed.ceilingUsd || null,
    from_s: toS - LOOKED_BACK[window].s,
    to_s: toS,
  };
}

export type Bar = { name: string; startsAtS: number; through: number; refused: number; refusedCalls: number; isNow: boolean };

/** A bar for each of the last windows; the first of all is whole too, since it is counted from its own beginning. */
export function barsOf(told: BacktestOut, count: number): Bar[] {
  return told.windows.slice(-count).map((window) => ({
    name: window.name,
    startsAtS: window.starts_at_s,
    through: Number(window.let_through),
    refused: Number(window.refused),
    refusedCalls: window.refused_calls,
    isNow: window.ends_at_s === null || window.ends_at_s > told.to_s,
  }));
}

const ROOM = 1.2;

/** A fifth above the largest window that is over, in two digits; nothing where nothing was spent. */
export function suggested(bars: readonly Bar[], unit: Unit): string | undefined {
  const most = Math.max(0, ...bars.map((bar) => bar.through + bar.refused));
  if (most === 0) return undefined;
  const wanted = most * ROOM;
  const step = 10 ** (Math.floor(Math.log10(wanted)) - 1);
  const rounded = Math.ceil(wanted / step) * step;
  return unit === "usd" ? rounded.toFixed(step >= 1 ? 0 : Math.min(9, -Math.floor(Math.log10(step)))) : String(Math.ceil(rounded));
}

/** How high the drawing reaches: the bars and the limit, unless the limit is far above them. */
export function reach(bars: readonly Bar[], limit: number | null): number {
  const most = Math.max(0, ...bars.map((bar) => bar.through + bar.refused));
  if (limit === null || most === 0) return Math.max(most, limit ?? 0) * 1.1 || 1;
  return Math.max(most, Math.min(limit, most * 4)) * 1.1;
}
