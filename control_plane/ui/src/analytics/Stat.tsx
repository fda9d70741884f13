import type { ReactNode } from "react";
import { Skeleton } from "@/design/Skeleton";
import { Change } from "./Change";

type Props = { name: string; value: ReactNode; ready: boolean; change?: number | null; hint?: ReactNode; worse?: boolean };

/** A number with its name, and how it differs from the period before; `worse`: more of it is bad. */
export function Stat({ name, value, ready, change, hint, worse }: Props) {
  return (
    <div className="min-w-0 rounded-lg border border-line bg-surface px-4 py-3">
      <div className="truncate text-xs text-ink-3">{name}</div>
      <div className="mt-1 flex h-8 items-center">
        {ready ? <span className="tabular truncate text-2xl font-semibold tracking-tight max-sm:text-xl">{value}</span> : <Skeleton className="h-6 w-24" />}
      </div>
      <div className="mt-0.5 flex h-5 items-center gap-2 overflow-hidden whitespace-nowrap text-xs text-ink-3">
        {ready && change !== undefined && change !== null && <Change share={change} worse={worse} />}
        {ready && <span className="truncate">{hint}</span>}
      </div>
    </div>
  );
}
