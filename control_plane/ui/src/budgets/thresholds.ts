import type { Unit, Window } from "./limits";

/** As many, and as far above the limit, as gateways take (control_plane/budgets/schema.py, gateway/quota_rules.py). */
const COUNT_MAX = 20;
const PERCENT_MAX = 1000;
const USUAL = "50, 80, 90, 100";

/** Where a limit tells by itself: one of a minute, an hour or of calls at a time is reached all day, and never tells. */
export function usualThresholds(unit: Unit, window: Window): string {
  return unit === "concurrent" || window === "minute" || window === "hour" ? "" : USUAL;
}

/** Percents with commas or blanks between; a sign of per cent may stand behind each. */
export function percents(text: string): number[] {
  return text.split(/[\s,;]+/).filter(Boolean).map((part) => (/^\d+%?$/.test(part) ? Number.parseInt(part, 10) : Number.NaN));
}

/** What is wrong with what is typed, if anything is. */
export function percentsFault(text: string): string | undefined {
  const found = percents(text);
  const unfit = found.findIndex((one) => !(one >= 1 && one <= PERCENT_MAX));
  if (unfit >= 0) return `Write whole numbers from 1 to ${PERCENT_MAX} with commas between, such as ${USUAL}.`;
  const falls = found.findIndex((one, index) => index > 0 && one <= found[index - 1]!);
  if (falls >= 0) return `They have to rise: ${found[falls]} stands behind ${found[falls - 1]}.`;
  return found.length > COUNT_MAX ? `At most ${COUNT_MAX} of them.` : undefined;
}
