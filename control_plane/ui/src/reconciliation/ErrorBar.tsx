import { clsx } from "clsx";

type Props = { delta: number; error: number | null; bad: boolean; label: string };

/** A difference on a line through zero, over the stretch that our own number may be off. */
export function ErrorBar({ delta, error, bad, label }: Props) {
  const reach = Math.max(Math.abs(delta), error ?? 0) * 1.15 || 1;
  const at = (value: number) => 50 + (value / reach) * 50;
  return (
    <div role="img" aria-label={label} className="relative h-4 w-24">
      <span className="absolute inset-x-0 top-1/2 h-px bg-line-strong" />
      {error !== null && error > 0 && <span className="absolute top-1 h-2 rounded-sm bg-accent/25" style={{ left: `${at(-error)}%`, width: `${(error / reach) * 100}%` }} />}
      <span className="absolute inset-y-0.5 left-1/2 w-px bg-ink-3" />
      <span className={clsx("absolute top-1 size-2 -translate-x-1/2 rounded-full ring-2 ring-surface", bad ? "bg-danger" : "bg-ink-2")} style={{ left: `${at(delta)}%` }} />
    </div>
  );
}
