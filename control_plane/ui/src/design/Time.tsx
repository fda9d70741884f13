import { useEffect, useState } from "react";
import { moment, relative } from "./format";

const TICK_MS = 10_000;

/** A distance that stays right while one looks; the exact time on hover. */
export function Time({ ms, fallback = "Never" }: { ms: number | null | undefined; fallback?: string }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  if (ms === null || ms === undefined) return <span className="text-ink-3">{fallback}</span>;
  return <time dateTime={new Date(ms).toISOString()} title={moment(ms)} className="whitespace-nowrap">{relative(ms, now)}</time>;
}
