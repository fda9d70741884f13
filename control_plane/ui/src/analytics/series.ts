export type ChartSeries = { name: string; color: string; values: (number | null)[]; dashed?: boolean };

/** Bars stand on each other: each series as the sum up to it. */
export function stacked(series: readonly ChartSeries[]): number[][] {
  const sums: number[][] = [];
  for (const one of series) {
    const below = sums.at(-1);
    sums.push(one.values.map((value, at) => (value ?? 0) + (below?.[at] ?? 0)));
  }
  return sums;
}

const COLORS = [1, 2, 3, 4, 5, 6, 7].map((number) => `var(--color-series-${number})`);

/** A colour for each of the largest, and a quiet one for all others together. */
export function seriesColor(index: number, isOthers: boolean): string {
  return isOthers ? "var(--color-series-8)" : COLORS[index % COLORS.length]!;
}
