import { clsx } from "clsx";
import { ArrowDownRight, ArrowUpRight } from "lucide-react";

const STEADY = 0.005;

/** How much more or less than before, as a share of it. */
export function Change({ share, worse }: { share: number; worse?: boolean }) {
  if (Math.abs(share) < STEADY) return <span className="text-ink-3">±0%</span>;
  const isUp = share > 0;
  const Arrow = isUp ? ArrowUpRight : ArrowDownRight;
  const tone = worse === undefined ? "text-ink-2" : isUp === worse ? "text-bad" : "text-good";
  return (
    <span className={clsx("tabular inline-flex items-baseline gap-0.5 font-medium", tone)}>
      <Arrow size={13} aria-hidden className="self-center" />
      {`${Math.abs(share * 100).toFixed(Math.abs(share) < 0.1 ? 1 : 0)}%`}
      <span className="sr-only">{isUp ? "more" : "less"} than before</span>
    </span>
  );
}
