import type { BacktestAsk, BacktestOut } from "@/api/schema";
import { oneOf, text, texts } from "@/app/search";
import { windowEnd, zoneFault } from "@/budgets/calendar";
import { DIMENSIONS, UNITS, WINDOWS, type Limit, type Unit, type Window } from "@/budgets/limits";
import { ownZone } from "@/design/zone";
import { readPrice, writePrice, type TriedPrice } from "./triedPrice";

const DAY_S = 86_400;
/** How far back: no more than the API replays at once (control_plane/backtest/proposal.py), of windows of a minute 31 days. */
export const SPANS = [["1", "Last day"], ["7", "7 days"], ["30", "30 days"], ["90", "90 days"], ["183", "6 months"], ["366", "A year"]] as const;
export type Span = (typeof SPANS)[number][0];
export const SPAN_DEFAULT: Span = "30";
const MINUTE_DAYS_MAX = 31;
/** Calls at a time depend on how long each takes under the limit: they are not replayed. */
export const REPLAYED = UNITS.filter(([unit]) => unit !== "concurrent");
const EACH = "*";

/** What is tried, as it stands in the address: a limit, prices, or both, over a time. */
export type Tried = { unit?: Unit; limit?: string; window?: Window; project?: string; zone?: string; ceiling?: string; scope?: string[]; price?: string[]; span?: Span };

export function triedOf(search: Record<string, unknown>): Tried {
  const units = REPLAYED.map(([unit]) => unit);
  return {
    unit: oneOf(search.unit, units),
    limit: text(search.limit),
    window: oneOf(search.window, WINDOWS.map(([id]) => id)),
    project: text(search.project),
    zone: text(search.zone),
    ceiling: text(search.ceiling),
    scope: texts(search.scope)?.filter((one) => DIMENSIONS.some((dimension) => one.startsWith(`${dimension}:`))),
    price: texts(search.price)?.filter((one) => readPrice(one)),
    span: oneOf(search.span, SPANS.map(([id]) => id)),
  };
}

/** The form's fields: all of it is there, and as it is typed. */
export type Draft = { unit: Unit; limit: string; window: Window; project: string; zone: string; ceiling: string; scope: Record<string, string>; prices: TriedPrice[]; span: Span };

export function draftOf(tried: Tried): Draft {
  return {
    unit: tried.unit ?? "usd",
    limit: tried.limit ?? "",
    window: tried.window ?? "day",
    project: tried.project ?? "",
    zone: tried.zone ?? ownZone(),
    ceiling: tried.ceiling ?? "",
    scope: Object.fromEntries((tried.scope ?? []).map((one) => [one.slice(0, one.indexOf(":")), one.slice(one.indexOf(":") + 1)])),
    prices: (tried.price ?? []).flatMap((one) => readPrice(one) ?? []),
    span: tried.span ?? SPAN_DEFAULT,
  };
}

/** As an address says it. The zone is named, or somebody else would see other days. */
export function triedFrom(draft: Draft): Tried {
  const scope = Object.entries(draft.scope).map(([dimension, value]) => `${dimension}:${value}`);
  return {
    unit: draft.unit,
    limit: draft.limit.trim() || undefined,
    window: draft.window,
    project: draft.project || undefined,
    zone: draft.zone,
    ceiling: draft.unit === "usd" ? draft.ceiling.trim() || undefined : undefined,
    scope: scope.length ? scope : undefined,
    price: draft.prices.length ? draft.prices.map(writePrice) : undefined,
    span: draft.span === SPAN_DEFAULT ? undefined : draft.span,
  };
}

/** A limit that there is, to be tried with another amount. */
export function triedLike(limit: Limit): Tried {
  return triedFrom({ unit: limit.unit, limit: String(limit.limit ?? ""), window: limit.window, project: limit.projectId ?? "", zone: limit.timeZone, ceiling: limit.ceilingUsd ?? "", scope: limit.scope, prices: [], span: SPAN_DEFAULT });
}

export type Faults = Partial<Record<"limit" | "zone" | "ceiling" | "span", string>>;

/** What is wrong with what is typed, by field. */
export function faultsOf(draft: Draft): Faults {
  const faults: Faults = {};
  const dollars = /^\d+(\.\d{1,9})?$/;
  const fits = draft.unit === "usd" ? dollars : /^\d+$/;
  if (draft.limit.trim() && !fits.test(draft.limit.trim())) faults.limit = draft.unit === "usd" ? "Write dollars, such as 100 or 2.50." : "Write a whole number.";
  if (zoneFault(draft.zone)) faults.zone = zoneFault(draft.zone);
  if (draft.unit === "usd" && draft.ceiling.trim() && !dollars.test(draft.ceiling.trim())) faults.ceiling = "Write dollars, such as 3.00.";
  if (draft.window === "minute" && Number(draft.span) > MINUTE_DAYS_MAX) faults.span = `Of windows of a minute, ${MINUTE_DAYS_MAX} days at most.`;
  return faults;
}

/** Whether an address asks for anything: a limit, or prices. */
export function isAsked(tried: Tried): boolean {
  return tried.unit !== undefined || tried.limit !== undefined || tried.price !== undefined;
}

/** As the API is asked; with `tryPrices` false at the prices in force, to compare with. */
export function askedOf(draft: Draft, nowS: number, tryPrices = true): BacktestAsk {
  // The same question for a minute, so that coming back asks nothing anew; the API takes no more than until now.
  const toS = Math.ceil(nowS / 60) * 60;
  const limit = draft.limit.trim();
  return {
    unit: draft.unit,
    limit: limit === "" ? null : draft.unit === "usd" ? limit : Number(limit),
    window: draft.window,
    project_id: draft.project || null,
    scope: draft.scope,
    time_zone: draft.zone,
    ceiling_usd: draft.unit === "usd" ? draft.ceiling.trim() || null : null,
    prices: tryPrices ? draft.prices.map(({ upstream, model, multiplier, rates }) => ({ upstream, model, multiplier, rates })) : [],
    from_s: toS - Number(draft.span) * DAY_S,
    to_s: toS,
  };
}

/** More are not drawn one by one: the API tells of 400. */
const DRAWN_MAX = 1000;

/** When each window of the time begins, those without a call too, of which the API says nothing. */
function beginnings(told: BacktestOut, window: Window, zone: string): number[] {
  const starts = new Set(told.windows.map((one) => one.starts_at_s));
  let atMs: number | undefined = Math.min(told.from_s, ...starts) * 1000;
  for (let number = 0; number < DRAWN_MAX; number++) {
    atMs = windowEnd(window, zone, atMs);
    if (atMs === undefined || atMs >= told.to_s * 1000) return [...starts].sort((a, b) => a - b);
    starts.add(atMs / 1000);
  }
  return told.windows.map((one) => one.starts_at_s);
}

/** What each window came to, refused amounts apart; and the limit, unless it is so far above that the rest were not seen. */
export function columnsOf(told: BacktestOut, window: Window, zone: string): { timesS: number[]; through: number[]; refused: number[]; limit: number | null; isFarAbove: boolean } {
  const timesS = beginnings(told, window, zone);
  const found = new Map(told.windows.map((one) => [one.starts_at_s, one]));
  const through = timesS.map((at) => Number(found.get(at)?.let_through ?? 0));
  const refused = timesS.map((at) => Number(found.get(at)?.refused ?? 0));
  const most = Math.max(0, ...through.map((value, at) => value + refused[at]!));
  const limit = told.limit === null ? null : Number(told.limit);
  const isFarAbove = limit !== null && limit > most * 4;
  return { timesS, through, refused, limit: isFarAbove ? null : limit, isFarAbove };
}

/** Whether each user, key or other value has the limit for itself. */
export function isApart(scope: Record<string, string>): boolean {
  return Object.values(scope).includes(EACH);
}
