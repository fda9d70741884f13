import { useSyncExternalStore, type PointerEvent } from "react";
import { moment, relative } from "./format";

const TICK_MS = 10_000;

/** One clock for all that tell a distance. It stands still while nobody looks at it. */
const watchers = new Set<() => void>();
let nowMs = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function tick(): void {
  nowMs = Date.now();
  for (const told of watchers) told();
}

function watch(told: () => void): () => void {
  timer ??= setInterval(tick, TICK_MS);
  watchers.add(told);
  return () => {
    watchers.delete(told);
    if (watchers.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function now(): number {
  if (timer === undefined) nowMs = Date.now();
  return nowMs;
}

/** A distance that stays right while one looks; the exact time on hover, written when it is asked for. */
export function Time({ ms, fallback = "Never" }: { ms: number | null | undefined; fallback?: string }) {
  const since = useSyncExternalStore(watch, now);
  if (ms === null || ms === undefined) return <span className="text-ink-3">{fallback}</span>;
  const tell = (event: PointerEvent<HTMLElement>) => void (event.currentTarget.title = moment(ms));
  return <time dateTime={new Date(ms).toISOString()} onPointerEnter={tell} className="whitespace-nowrap">{relative(ms, since)}</time>;
}
