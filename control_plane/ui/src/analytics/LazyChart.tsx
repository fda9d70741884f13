import { lazy, Suspense } from "react";
import { Skeleton } from "@/design/Skeleton";
import type { ChartProps } from "./Chart";

// The library is fetched with the first chart, not with the first page.
const Chart = lazy(async () => ({ default: (await import("./Chart")).Chart }));
const HEIGHT = 240;

export function LazyChart({ ready, ...props }: ChartProps & { ready: boolean }) {
  const placeholder = <div style={{ height: props.height ?? HEIGHT }}><Skeleton className="h-full w-full" /></div>;
  return (
    <>
      {ready ? <Suspense fallback={placeholder}><Chart {...props} /></Suspense> : placeholder}
      <Legend series={props.past ? [...props.series, props.past] : props.series} />
    </>
  );
}

function Legend({ series }: Pick<ChartProps, "series">) {
  return (
    <ul className="mt-2 flex min-h-5 flex-wrap gap-x-4 gap-y-1 text-xs text-ink-2">
      {series.map((one) => (
        <li key={one.name} className="flex items-center gap-1.5">
          {one.dashed ? <span aria-hidden className="w-3 border-t-2 border-dashed" style={{ borderColor: one.color }} /> : <span aria-hidden className="size-2 rounded-sm" style={{ background: one.color }} />}
          {one.name}
        </li>
      ))}
    </ul>
  );
}
