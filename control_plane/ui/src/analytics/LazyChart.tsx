import { lazy, Suspense, useEffect, useRef, useState, type RefObject } from "react";
import { Skeleton } from "@/design/Skeleton";
import type { ChartProps } from "./Chart";

// The library is fetched with the first chart, not with the first page.
const loaded = async () => ({ default: (await import("./Chart")).Chart });
const Chart = lazy(loaded);
const HEIGHT = 240;

/** How far below the window it is drawn already. */
const NEAR = "200px";

/** It is drawn once it is in sight, or nearly: what nobody looks at costs nothing. */
export function LazyChart({ ready, ...props }: ChartProps & { ready: boolean }) {
  const place = useRef<HTMLDivElement>(null);
  const isSeen = useSeen(place);
  const height = props.height ?? HEIGHT;
  // At the same time as its numbers.
  useEffect(() => {
    if (isSeen) void loaded();
  }, [isSeen]);
  const placeholder = <div style={{ height }}>{isSeen && <Skeleton className="h-full w-full" />}</div>;
  return (
    <>
      <div ref={place} style={{ minHeight: height }}>{ready && isSeen ? <Suspense fallback={placeholder}><Chart {...props} /></Suspense> : placeholder}</div>
      <Legend series={props.past ? [...props.series, props.past] : props.series} />
    </>
  );
}

/** Whether it was in sight once. */
function useSeen(place: RefObject<HTMLElement | null>): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (isSeen) return;
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true), { rootMargin: NEAR });
    watch.observe(place.current!);
    return () => watch.disconnect();
  }, [isSeen, place]);
  return isSeen;
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
