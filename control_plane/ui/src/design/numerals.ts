/** Numbers in English digits. Not by `Intl`, whose first object makes a browser read every language that it knows: longer than a page takes. */

const GROUPS = /\B(?=(\d{3})+$)/g;

/** Rounded as it is read, half away from zero: `1.005` to two digits is `1.01`. No sign. */
export function rounded(value: number, digitsMin: number, digitsMax: number): string {
  const [digits, exponent = 0] = String(Math.abs(value)).split("e");
  const units = String(Math.round(Number(`${digits}e${Number(exponent) + digitsMax}`))).padStart(digitsMax + 1, "0");
  const whole = units.slice(0, units.length - digitsMax).replace(GROUPS, ",");
  let fraction = units.slice(units.length - digitsMax);
  while (fraction.length > digitsMin && fraction.endsWith("0")) fraction = fraction.slice(0, -1);
  return fraction ? `${whole}.${fraction}` : whole;
}

export function sign(value: number): string {
  return value < 0 ? "-" : "";
}

const SHORT = ["", "K", "M", "B", "T"];

/** `1_234_567` → `1.2M`. */
export function shortened(value: number): string {
  let [size, step] = [Math.abs(value), 0];
  // What would be rounded to a thousand is one of the next.
  while (Math.round(size * 10) >= 10_000 && step < SHORT.length - 1) [size, step] = [size / 1000, step + 1];
  return sign(value) + rounded(size, 0, 1) + SHORT[step]!;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const BESIDE: Record<string, [string, string]> = { day: ["yesterday", "tomorrow"], month: ["last month", "next month"], year: ["last year", "next year"] };

/** `3 minutes ago`, `in 2 days`, `yesterday`. */
export function away(count: number, unit: string): string {
  const beside = BESIDE[unit];
  if (beside && Math.abs(count) === 1) return beside[count < 0 ? 0 : 1];
  const words = `${rounded(count, 0, 0)} ${unit}${Math.abs(count) === 1 ? "" : "s"}`;
  return count < 0 ? `${words} ago` : `in ${words}`;
}

/** `Nov 26`, where the reader is. */
export function dayOfYear(at: Date): string {
  return `${MONTHS[at.getMonth()]} ${at.getDate()}`;
}

/** `14:05`, where the reader is. */
export function timeOfDay(at: Date): string {
  return [at.getHours(), at.getMinutes()].map((part) => String(part).padStart(2, "0")).join(":");
}
