import { ownZone } from "@/design/zone";
import type { Unit, Window } from "./limits";

let known: readonly string[] | undefined;

/** Every zone that this browser knows; the API knows more names of the same. */
export function zones(): readonly string[] {
  return (known ??= [...new Set(["UTC", ownZone(), ...Intl.supportedValuesOf("timeZone")])]);
}

/** Whether a window begins where a calendar says so; a minute begins everywhere at once, and what never ends nowhere. */
export function hasCalendar(unit: Unit, window: Window): boolean {
  return unit !== "concurrent" && window !== "minute" && window !== "total";
}

/** What is wrong with the name of a zone, if anything is. */
export function zoneFault(zone: string): string | undefined {
  const wrong = "There is no such zone. Write a name such as Europe/Berlin, America/New_York or UTC.";
  // Offsets are zones to a browser, and none to a gateway.
  if (!/^[A-Za-z]/.test(zone)) return wrong;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return undefined;
  } catch {
    return wrong;
  }
}

type Local = { year: number; month: number; day: number; hour: number; minute: number };
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
const WEEK_DAYS = 7;

function localOf(zone: string, atMs: number): Local {
  const parts = new Intl.DateTimeFormat("en-US", { timeZone: zone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", hourCycle: "h23" }).formatToParts(atMs);
  const read = (type: Intl.DateTimeFormatPartTypes) => Number(parts.find((part) => part.type === type)!.value);
  return { year: read("year"), month: read("month"), day: read("day"), hour: read("hour"), minute: read("minute") };
}

/** The moment of a midnight there: as if it were UTC, corrected by what the clock there is ahead, which may change that day. */
function midnight(zone: string, year: number, month: number, day: number): number {
  const wanted = Date.UTC(year, month - 1, day);
  let at = wanted;
  for (let look = 0; look < 2; look++) {
    const shown = localOf(zone, at);
    at -= Date.UTC(shown.year, shown.month - 1, shown.day, shown.hour, shown.minute) - wanted;
  }
  return at;
}

/** When the window that holds a moment ends and the next one begins; nothing where it never does. */
export function windowEnd(window: Window, zone: string, atMs: number): number | undefined {
  if (window === "minute") return Math.floor(atMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  const { year, month, day, minute } = localOf(zone, atMs);
  if (window === "hour") return Math.floor(atMs / MINUTE_MS) * MINUTE_MS - minute * MINUTE_MS + HOUR_MS;
  if (window === "day") return midnight(zone, year, month, day + 1);
  const weekday = (new Date(Date.UTC(year, month - 1, day)).getTime() / DAY_MS + 3) % WEEK_DAYS;
  if (window === "week") return midnight(zone, year, month, day - weekday + WEEK_DAYS);
  return window === "month" ? midnight(zone, year, month + 1, 1) : undefined;
}
