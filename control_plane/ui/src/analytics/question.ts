import { flag, oneOf, text, texts } from "@/app/search";
import { ownZone } from "@/design/zone";

/** What the calls are narrowed by: any of the values. The names are the API's. */
export const FILTERS = ["model", "key_id", "user_id", "team", "tag", "route", "provider", "outcome", "status"] as const;
export type Filter = (typeof FILTERS)[number];

/** What costs are told apart by, and what a row of it narrows to. */
export const DIMENSIONS = { model: "model", user: "user_id", key: "key_id", team: "team", tag: "tag", route: "route", provider: "provider", project: "project" } as const;
export type Dimension = keyof typeof DIMENSIONS;

export const RANGES = [["24h", "24 hours"], ["7d", "7 days"], ["30d", "30 days"], ["month", "This month"], ["last-month", "Last month"]] as const;
export type Range = (typeof RANGES)[number][0];
export const RANGE_DEFAULT: Range = "7d";

export const MEASURES = [["cost", "Spend"], ["calls", "Calls"], ["tokens", "Tokens"]] as const;
export type Measure = (typeof MEASURES)[number][0];
export const BYS = ["model", "project", "key", "team", "route", "provider"] as const;
export type By = (typeof BYS)[number];

/** What is measured of a call's time. */
export const SPEEDS = [["latency_ms", "Whole call"], ["ttft_ms", "First token"], ["output_tokens_per_s", "Speed"]] as const;
export type Speed = (typeof SPEEDS)[number][0];

/** How charts show it; it narrows nothing. `split`: what costs are listed by, `speed`: which time is drawn. */
export type ChartView = { measure?: Measure; by?: By; compare?: true; split?: Dimension; speed?: Speed };

/** What a view narrows to, without how it shows it: for a link to the calls behind it. */
export function narrowing<T extends ChartView>(question: T): Omit<T, keyof ChartView> {
  const { measure, by, compare, split, speed, ...rest } = question;
  return rest;
}

/** What is looked at: it is all in the address, so that a view can be sent to somebody. */
export type Question = { range?: Range; from?: string; to?: string; project?: string } & ChartView & { [filter in Filter]?: string[] };

/** How one chart over time shows it. */
export function chartOf(search: Record<string, unknown>): Pick<ChartView, "measure" | "by" | "compare"> {
  return { measure: oneOf(search.measure, MEASURES.map(([id]) => id)), by: oneOf(search.by, BYS), compare: flag(search.compare) };
}

export function questionOf(search: Record<string, unknown>): Question {
  const filters = Object.fromEntries(FILTERS.map((name) => [name, texts(search[name])]));
  return {
    range: oneOf(search.range, RANGES.map(([id]) => id)),
    from: text(search.from),
    to: text(search.to),
    project: text(search.project),
    ...chartOf(search),
    split: oneOf(search.split, Object.keys(DIMENSIONS) as Dimension[]),
    speed: oneOf(search.speed, SPEEDS.map(([id]) => id)),
    ...filters,
  };
}

/** As the API is asked. Days are the reader's. */
export function asked(question: Question, rangeDefault: Range = RANGE_DEFAULT) {
  const period: { range?: Range; from?: string; to?: string } = question.from ? { from: question.from, to: question.to } : { range: question.range ?? rangeDefault };
  const filters: { [filter in Filter]?: string[] } = Object.fromEntries(activeFilters(question));
  return { ...period, ...filters, project_id: question.project, tz: ownZone() };
}

export type Asked = ReturnType<typeof asked>;

/** Those that are set, to be shown and taken away. */
export function activeFilters(question: Question): [Filter, string[]][] {
  return FILTERS.flatMap((name): [Filter, string[]][] => (question[name]?.length ? [[name, question[name]]] : []));
}

/** The question with one value more, or with one less where it was there. */
export function toggled(question: Question, name: Filter, value: string): Question {
  const values = question[name] ?? [];
  const next = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
  return { ...question, [name]: next.length ? next : undefined };
}
