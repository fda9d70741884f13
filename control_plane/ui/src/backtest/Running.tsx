import { LoaderCircle } from "lucide-react";
import { Button } from "@/design/Button";
import { Skeleton } from "@/design/Skeleton";

/** Calls are being replayed: for how long already, and a way out. */
export function Running({ seconds, days, onStop }: { seconds: number; days: number; onStop: () => void }) {
  return (
    <div className="flex flex-col gap-4" aria-busy>
      <section role="status" className="flex flex-wrap items-center justify-between gap-3 rounded-lg border border-line bg-surface p-4">
        <span className="flex min-w-0 items-center gap-3">
          <LoaderCircle size={20} className="shrink-0 animate-spin text-accent-ink" aria-hidden />
          <span className="min-w-0">
            <span className="block font-medium">The calls of {days === 1 ? "a day" : `${days} days`} are being replayed</span>
            <span className="tabular block text-xs text-ink-3">{seconds < 3 ? "A second or two, as a rule" : `${seconds} seconds so far; millions of calls take some`}</span>
          </span>
        </span>
        <Button onClick={onStop}>Stop</Button>
      </section>
      <Skeleton className="h-24 w-full" />
      <Skeleton className="h-80 w-full" />
    </div>
  );
}
