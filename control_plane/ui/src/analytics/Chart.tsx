import "uplot/dist/uPlot.min.css";
import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import { useShownTheme } from "@/app/theme";
import { dayOfYear, timeOfDay } from "@/design/numerals";
import { stacked, type ChartSeries } from "./series";
import { Readout } from "./Readout";

export type ChartProps = {
  label: string;
  timesS: number[];
  series: ChartSeries[];
  /** What was at the same points of the period before, dashed. */
  past?: ChartSeries;
  kind: "bars" | "lines";
  format: (value: number) => string;
  /** The labels of the axis, where each alone would not do. */
  formatAxis?: (values: number[]) => string[];
  height?: number;
  /** A stretch that was dragged over. */
  onPick?: (fromS: number, toS: number) => void;
  /** A point that was pressed: from its time until the next one's. */
  onOpen?: (fromS: number, toS: number) => void;
};

export const HEIGHT = 240;
const BAR_WIDTH_MAX = 36;
const DRAGGED_PX_MIN = 4;

/** What variables of the theme come to now, as a canvas takes them: all in one look at the page, since each makes it lay out. */
function resolved(colors: readonly string[]): string[] {
  const probes = colors.map((color) => {
    const probe = document.createElement("span");
    probe.style.color = color;
    return probe;
  });
  document.body.append(...probes);
  const found = probes.map((probe) => getComputedStyle(probe).color);
  for (const probe of probes) probe.remove();
  return found;
}

/** One point makes no line, and would not be seen. */
function isAlone(series: ChartSeries): boolean {
  return series.values.filter((value) => value !== null).length === 1;
}

function drawnSeries(shown: ChartSeries[], kind: ChartProps["kind"], colors: readonly string[]): uPlot.Series[] {
  const bars = uPlot.paths.bars!({ size: [0.72, BAR_WIDTH_MAX] });
  return shown.map((one, place) => {
    const color = colors[place]!;
    return kind === "bars" ? { fill: color, width: 0, paths: bars, points: { show: false } } : { stroke: color, width: 1.75, points: { show: isAlone(one), size: 6, fill: color }, spanGaps: true };
  });
}

function dashed(color: string): uPlot.Series {
  return { stroke: color, width: 1.5, dash: [4, 4], points: { show: false }, spanGaps: true };
}

const DAY_S = 86_400;

function stepOf(timesS: number[]): number {
  return timesS.length > 1 ? timesS[1]! - timesS[0]! : DAY_S;
}

/** A day where points are days or longer, else the time, and the day where one begins. */
function timeLabels(timesS: number[]): (plot: uPlot, splits: number[]) => string[] {
  const step = stepOf(timesS);
  return (_, splits) =>
    splits.map((seconds) => {
      const at = new Date(seconds * 1000);
      return step >= DAY_S || (at.getHours() === 0 && at.getMinutes() === 0) ? dayOfYear(at) : timeOfDay(at);
    });
}

function axes({ timesS, format, formatAxis }: ChartProps, ink: string, line: string): uPlot.Axis[] {
  const look = { stroke: ink, font: `11px ${getComputedStyle(document.body).fontFamily}`, ticks: { show: false } };
  return [
    { ...look, grid: { show: false }, size: 28, space: 70, values: timeLabels(timesS) },
    { ...look, grid: { stroke: line, width: 1 }, size: 60, space: 40, values: (_, splits) => formatAxis?.(splits) ?? splits.map(format) },
  ];
}

function options(props: ChartProps, width: number, onHover: (index: number | null, left: number) => void): uPlot.Options {
  const { timesS, kind, onPick } = props;
  const margin = kind === "bars" ? (timesS.length > 1 ? timesS[1]! - timesS[0]! : 3600) / 2 : 0;
  const shown = kind === "bars" ? [...props.series].reverse() : props.series;
  const [ink, line, past, ...colors] = resolved(["var(--color-ink-3)", "var(--color-line)", props.past?.color ?? "", ...shown.map((one) => one.color)]) as [string, string, string, ...string[]];
  function select(plot: uPlot) {
    const { left, width: dragged } = plot.select;
    if (onPick && dragged >= DRAGGED_PX_MIN) onPick(plot.posToVal(left, "x"), plot.posToVal(left + dragged, "x"));
  }
  function open(plot: uPlot) {
    const index = plot.cursor.idx;
    const from = index == null ? undefined : timesS[index];
    if (from !== undefined) props.onOpen?.(from, timesS[index! + 1] ?? from + stepOf(timesS));
  }
  return {
    width,
    height: props.height ?? HEIGHT,
    padding: [10, 18, 0, 0],
    legend: { show: false },
    cursor: { y: false, points: { show: kind === "lines" }, drag: { x: Boolean(onPick), y: false, setScale: false } },
    scales: { x: { range: (_, min, max) => [min - margin, max + margin] }, y: { range: (_, __, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: axes(props, ink, line),
    series: [{}, ...drawnSeries(shown, kind, colors), ...(props.past ? [dashed(past)] : [])],
    hooks: {
      setCursor: [(plot) => onHover(plot.cursor.idx ?? null, plot.cursor.left ?? -1)],
      setSelect: [select],
      // The library keeps back the click that ends a drag.
      ready: [(plot) => props.onOpen && plot.over.addEventListener("click", () => open(plot))],
    },
  };
}

/** Does it in a task of its own. Returns what keeps it from being done, and undoes what it has begun. */
function later(work: () => (() => void) | void): () => void {
  let undo: (() => void) | void;
  const timer = setTimeout(() => (undo = work()));
  return () => {
    clearTimeout(timer);
    undo?.();
  };
}

/** Puts a chart in its frame and keeps it as wide. Returns what takes it away. */
function shown(plot: uPlot, begin: () => void, frame: HTMLElement, height: number): () => void {
  frame.append(plot.root);
  begin();
  const watch = new ResizeObserver(() => plot.setSize({ width: frame.clientWidth, height }));
  watch.observe(frame);
  return () => {
    watch.disconnect();
    plot.destroy();
  };
}

/** A chart over time. Its height is there before its data. */
export function Chart(props: ChartProps) {
  const { label, timesS, series, past, kind, format, height = HEIGHT, onOpen } = props;
  const frame = useRef<HTMLDivElement>(null);
  const theme = useShownTheme();
  const [hovered, setHovered] = useState<{ index: number; left: number } | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const takeAway = useRef<() => void>(undefined);
  useEffect(() => {
    const element = frame.current!;
    const values = kind === "bars" ? stacked(series).reverse() : series.map((one) => one.values);
    const data = [timesS, ...values, ...(past ? [past.values] : [])] as uPlot.AlignedData;
    const hover = (index: number | null, left: number) => setHovered(index === null || left < 0 ? null : { index, left });
    // Made in one task and drawn in another; what was there stays until then.
    return later(() => {
      let begin: () => void = () => undefined;
      const plot = new uPlot(options(latest.current, element.clientWidth, hover), data, (_, start) => (begin = start as () => void));
      return later(() => {
        takeAway.current?.();
        takeAway.current = shown(plot, begin, element, height);
      });
    });
  }, [timesS, series, past, kind, theme, height]);
  useEffect(() => () => takeAway.current?.(), []);
  const timeS = hovered ? timesS[hovered.index] : undefined;
  return (
    <div className="relative" role="img" aria-label={label}>
      <div ref={frame} className={onOpen && "cursor-pointer [&_.u-over]:cursor-pointer"} style={{ height }} />
      {hovered && timeS !== undefined && <Readout index={hovered.index} left={hovered.left} width={frame.current?.clientWidth ?? 0} timeS={timeS} series={past ? [...series, past] : series} format={format} />}
    </div>
  );
}
