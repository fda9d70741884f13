// Newer browsers have it; the compiler does not know it yet.
declare const Temporal: { Now: { timeZoneId(): string } } | undefined;

let known: string | undefined;

/** The reader's time zone. Where a browser has `Temporal` it is asked: the first object of `Intl` makes it read every language. */
export function ownZone(): string {
  return (known ??= typeof Temporal === "undefined" ? Intl.DateTimeFormat().resolvedOptions().timeZone : Temporal.Now.timeZoneId());
}
