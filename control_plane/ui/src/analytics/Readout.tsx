import { moment } from "@/design/format";
import type { ChartSeries } from "./series";

type Props = { index: number; left: number; width: number; timeS: number; series: ChartSeries[]; format: (value: number) => string };

/** What is under the pointer, on the side where there is room. */
export function Readout({ index, left, width, timeS, series, format }: Props) {
  const told = series.filter((one) => one.values[index] !== null && one.values[index] !== 0);
  const side = left > width / 2 ? { right: width - left - 40 } : { left: left + 72 };
  return (
    <div className="pointer-events-none absolute top-2 z-10 min-w-40 rounded-md border border-line bg-raised p-2 text-xs shadow-float" style={side}>
      <div className="mb-1 text-ink-3">{moment(timeS * 1000)}</div>
      {told.length === 0 && <div className="text-ink-3">Nothing</div>}
      {told.map((one) => (
        <div key={one.name} className="flex items-center justify-between gap-4">
          <span className="flex items-center gap-1.5"><span aria-hidden className="size-2 rounded-sm" style={{ background: one.color }} />{one.name}</span>
          <span className="tabular font-medium">{format(one.values[index]!)}</span>
        </div>
      ))}
    </div>
  );
}
