/** A moment of the address (RFC 3339, or a day) as a field for local times has it; "" for none. */
export function localOf(moment: string | undefined): string {
  const at = new Date(moment ?? Number.NaN);
  if (Number.isNaN(at.getTime())) return "";
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** What such a field says, as a moment of the address. */
export function momentOf(local: string): string | undefined {
  const at = new Date(local || Number.NaN);
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString();
}
