import { clsx } from "clsx";

/** Holds the place of what is being loaded. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden className={clsx("block animate-shimmer rounded bg-sunken", className)} />;
}
