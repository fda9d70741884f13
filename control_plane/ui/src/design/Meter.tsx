import { clsx } from "clsx";
import { percent } from "./format";

type Props = { label: string; settled: number; held?: number; limit: number | null; className?: string };

function tone(share: number): string {
  return share >= 1 ? "bg-danger" : share >= 0.8 ? "bg-warn-fill" : "bg-accent";
}

/** How much of a limit is spent, and hatched behind it what calls under way still hold. */
export function Meter({ label, settled, held = 0, limit, className }: Props) {
  const share = limit ? settled / limit : 0;
  const spentWidth = Math.min(share, 1) * 100;
  const heldWidth = limit ? Math.min(held / limit, 1 - Math.min(share, 1)) * 100 : 0;
  return (
    <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(Math.min(share, 1) * 100)} aria-valuetext={limit ? percent(share * 100) : "no limit"} className={clsx("flex h-1.5 w-full overflow-hidden rounded-full bg-sunken", className)}>
      <div className={clsx("h-full transition-[width] duration-500", tone(share))} style={{ width: `${spentWidth}%` }} />
      <div className={clsx("h-full opacity-35 transition-[width] duration-500", tone(share))} style={{ width: `${heldWidth}%` }} />
    </div>
  );
}
