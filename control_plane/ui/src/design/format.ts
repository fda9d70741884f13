/** Numbers as people read them. Money comes as decimal text and is never added up as a float. */

import { away, dayOfYear, rounded, shortened, sign } from "./numerals";

const LOCALE = "en-US";
const made = new Map<string, Intl.DateTimeFormat>();

/** Each formatter once: one is dearer to make than a thousand times are to write. */
function times(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options);
  const formatter = made.get(key) ?? new Intl.DateTimeFormat(LOCALE, options);
  made.set(key, formatter);
  return formatter;
}

/** `1234.5` → `$1,234.50`; below ten cents as many digits as it takes to see two of them: `$0.034`, `$0.00062`. */
export function dollars(amount: string | number | null | undefined): string {
  if (amount === null || amount === undefined) return "–";
  const value = Number(amount);
  const digits = value !== 0 && Math.abs(value) < 0.1 ? Math.min(9, 1 - Math.floor(Math.log10(Math.abs(value)))) : 2;
  return `${sign(value)}$${rounded(value, 2, digits)}`;
}

/** For axes and tight places: `$1.2K`. */
export function dollarsShort(value: number): string {
  if (!Number.isInteger(value) && Math.abs(value) < 10) return dollars(value);
  return `$${compact(value)}`;
}

export function count(value: number | string | null | undefined): string {
  return value === null || value === undefined ? "–" : sign(Number(value)) + rounded(Number(value), 0, 3);
}

/** `1_234_567` → `1.2M`. */
export function compact(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : shortened(value);
}

export function percent(value: number | null | undefined, digits = 0): string {
  return value === null || value === undefined ? "–" : `${value.toFixed(value > 0 && value < 1 ? 1 : digits)}%`;
}

/** Milliseconds: `840 ms`, `2.40 s`, `1m 15s`. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return "–";
  if (ms > 0 && ms < 1) return `${ms.toFixed(2)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const [minutes, seconds] = [Math.floor(ms / 60_000), Math.round((ms % 60_000) / 1000)];
  return seconds ? `${minutes}m ${seconds}s` : `${minutes}m`;
}

/** Milliseconds along an axis, all in one unit and with as many digits: `0 s`, `40 s`, `80 s`. */
export function durations(values: readonly number[]): string[] {
  const [unit, size] = Math.max(...values) < 1000 ? (["ms", 1] as const) : (["s", 1000] as const);
  const digits = Math.max(...values.map((ms) => (String(+(ms / size).toFixed(2)).split(".")[1] ?? "").length));
  return values.map((ms) => `${(ms / size).toFixed(digits)} ${unit}`);
}

const NOW_MS = 10_000;
const STEPS: [string, number][] = [
  ["year", 31_536_000_000],
  ["month", 2_592_000_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
];

/** `3 minutes ago`, `in 2 days`, `just now`. */
export function relative(atMs: number, nowMs: number): string {
  const distance = atMs - nowMs;
  if (Math.abs(distance) < NOW_MS) return "just now";
  const [unit, size] = STEPS.find(([, size]) => Math.abs(distance) >= size)!;
  return away(Math.trunc(distance / size), unit);
}

/** `Nov 26, 2026, 05:49:21 UTC+1`, in the reader's time zone unless another is named. */
export function moment(atMs: number, timeZone?: string): string {
  return times({
    year: "numeric",
    month: "short",
    day: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hour12: false,
    timeZoneName: "short",
    timeZone,
  }).format(atMs);
}

/** `Nov 26, 2026`. */
export function day(atMs: number): string {
  const at = new Date(atMs);
  return `${dayOfYear(at)}, ${at.getFullYear()}`;
}

/** Where a window begins, in little room: `Nov`, `Nov 23`, `14:00`. */
export function beginning(atMs: number, timeZone?: string): string {
  const part = (options: Intl.DateTimeFormatOptions) => times({ ...options, timeZone }).format(atMs);
  const time = part({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  if (time !== "00:00") return time;
  return part({ day: "numeric" }) === "1" ? part({ month: "short" }) : part({ month: "short", day: "numeric" });
}

/** An amount in its unit: dollars as money, everything else as a count. */
export function amount(unit: string, value: string | number | null | undefined): string {
  return unit === "usd" ? dollars(value) : count(value);
}

/** A moment in a file: RFC 3339, in UTC. */
export function written(atMs: number | null | undefined): string | null {
  return atMs === null || atMs === undefined ? null : new Date(atMs).toISOString();
}
