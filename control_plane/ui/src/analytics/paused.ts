import { useState } from "react";

export type Pausable<T> = { rows: T[] | undefined; isPaused: boolean; waiting: number; toggle: () => void };

/** How many came since the table was held. */
export function waitingOf<T>(held: readonly T[] | null, rows: readonly T[] | undefined, keyOf: (row: T) => string): number {
  if (held === null || rows === undefined) return 0;
  const known = new Set(held.map(keyOf));
  const first = rows.findIndex((row) => known.has(keyOf(row)));
  return first === -1 ? rows.length : first;
}

/** Rows that come by themselves, held still while somebody reads. What comes meanwhile is counted. */
export function usePause<T>(rows: T[] | undefined, keyOf: (row: T) => string): Pausable<T> {
  const [held, setHeld] = useState<T[] | null>(null);
  return { rows: held ?? rows, isPaused: held !== null, waiting: waitingOf(held, rows, keyOf), toggle: () => setHeld(held === null ? (rows ?? []) : null) };
}
