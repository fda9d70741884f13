import type { StandingOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { amount, percent } from "@/design/format";
import { Meter } from "@/design/Meter";
import { Skeleton } from "@/design/Skeleton";
import { title, used, type Limit } from "./limits";

/** A bar and numbers of one limit. */
export function LimitStanding({ limit, standing }: { limit: Limit; standing: StandingOut | undefined }) {
  if (!standing) return <Skeleton className="h-8 w-full max-w-64" />;
  const spent = used(limit.unit, standing);
  const held = limit.unit === "concurrent" ? 0 : Number(standing.held ?? 0);
  const inForce = standing.limit_in_force;
  return (
    <div className="w-full min-w-32 max-w-72 py-1.5">
      <div className="mb-1 flex flex-wrap items-baseline justify-between gap-x-1.5 text-xs sm:gap-x-3">
        <span className="tabular">
          <span className="font-medium text-ink">{spent === null ? "Nothing yet" : amount(limit.unit, spent)}</span>
          {inForce !== null && <span className="text-ink-3"> of {amount(limit.unit, inForce)}</span>}
        </span>
        <span className="flex items-center gap-1.5 text-ink-2">
          {standing.overridden && <Badge tone="warn">Override</Badge>}
          {percent(standing.percent)}
        </span>
      </div>
      <Meter label={`${title(limit)}: used`} settled={Number(spent ?? 0)} held={held} limit={inForce === null ? null : Number(inForce)} />
    </div>
  );
}
