import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { $api, api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { ImportOut, ReportOut, RowOut } from "@/api/schema";
import type { Tone } from "@/design/Badge";
import { count, dollars } from "@/design/format";

export const RECONCILIATION = "/v1/reconciliation";
export const IMPORTS = "/v1/reconciliation/imports";

export type Verdict = RowOut["verdict"];
export type Compared = RowOut["compared"];
export type SourceName = ReportOut["covered"][number]["source"];

/** What can be imported, and how one comes by it. */
export const SOURCES: Record<SourceName, { name: string; file: string; accept: string }> = {
  openai_usage: { name: "OpenAI, usage", file: "Pages of /v1/organization/usage/completions with group_by=model, one page a line.", accept: ".json,.jsonl,.ndjson" },
  openai_costs: { name: "OpenAI, costs", file: "Pages of /v1/organization/costs with group_by=line_item, one page a line.", accept: ".json,.jsonl,.ndjson" },
  anthropic_usage: { name: "Anthropic, usage", file: "Pages of /v1/organizations/usage_report/messages with group_by[]=model, one page a line.", accept: ".json,.jsonl,.ndjson" },
  anthropic_costs: { name: "Anthropic, costs", file: "Pages of /v1/organizations/cost_report with group_by[]=description, one page a line.", accept: ".json,.jsonl,.ndjson" },
  azure_costs: { name: "Azure, cost and usage details", file: "Cost Management, Exports: cost and usage details (actual), as CSV; packed with gzip or not.", accept: ".csv,.gz" },
  aws_cur: { name: "AWS, Cost and Usage Report", file: "Data Exports: CUR 2.0 or the legacy report, as CSV, gzip or Parquet.", accept: ".csv,.gz,.parquet" },
};

/** Those whose provider is asked by itself, with an admin key. */
export const FETCHED = ["openai_usage", "openai_costs", "anthropic_usage", "anthropic_costs"] as const;

export function sourceName(source: string): string {
  return source in SOURCES ? SOURCES[source as SourceName].name : source;
}

export const MEASURES: Record<Compared, string> = {
  input: "Input tokens",
  cache_read: "Tokens read from a cache",
  cache_write: "Tokens written to a cache",
  output: "Output tokens",
  requests: "Requests",
  web_searches: "Web searches",
  cost: "Cost",
};

type Word = { name: string; tone: Tone; means: string; fill: string };

/** What to think of a row; the worst first. */
export const VERDICTS: Record<Verdict, Word> = {
  bypass_suspected: { name: "Bypass suspected", tone: "bad", means: "The provider saw more than the gateways did", fill: "bg-danger" },
  overcounted: { name: "We count more", tone: "warn", means: "More was counted here than the provider says, and its account is complete", fill: "bg-warn-fill" },
  unpriced: { name: "No price", tone: "warn", means: "The provider bills what has no price here", fill: "bg-warn-fill" },
  incomplete: { name: "Still counting", tone: "neutral", means: "The provider says less so far; the day may still grow", fill: "bg-ink-3" },
  within_error: { name: "Within the error", tone: "good", means: "The difference is no more than our own number may be off", fill: "bg-series-2" },
  matches: { name: "Matches", tone: "good", means: "Both say the same", fill: "bg-series-2" },
  no_export: { name: "Not imported", tone: "neutral", means: "Nothing was imported that covers it", fill: "bg-line-strong" },
};
const ORDER = Object.keys(VERDICTS) as Verdict[];
export const TO_LOOK_AT: readonly Verdict[] = ["bypass_suspected", "overcounted", "unpriced"];

/** What a group of rows comes to: the verdict that most needs somebody to look. */
export function worst(verdicts: Iterable<Verdict>): Verdict {
  const found = new Set(verdicts);
  return ORDER.find((verdict) => found.has(verdict)) ?? "no_export";
}

/** Rows of a provider by day, in the order of the days. */
export function byDay(rows: readonly RowOut[]): Map<string, Map<string, RowOut[]>> {
  const found = new Map<string, Map<string, RowOut[]>>();
  for (const row of rows) {
    const days = found.get(row.provider) ?? new Map<string, RowOut[]>();
    days.set(row.day, [...(days.get(row.day) ?? []), row]);
    found.set(row.provider, days);
  }
  return found;
}

/** Every day from the first to the last, both included. */
export function daysOf(from: string, to: string): string[] {
  const days: string[] = [];
  for (let at = Date.parse(from); at <= Date.parse(to); at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** An amount of a row: dollars of a cost, else a count. */
export function told(compared: Compared, amount: RowOut["ours"]): string {
  return compared === "cost" ? dollars(amount) : count(amount);
}

/** The same with its sign, as a difference. */
export function difference(compared: Compared, amount: RowOut["delta"]): string {
  if (amount === null) return "–";
  const value = Number(amount);
  return `${value > 0 ? "+" : value < 0 ? "−" : ""}${told(compared, String(Math.abs(value)))}`;
}

/** The same address answers a file too: this is what it says as JSON. */
export function useReport(days: { from_day?: string; to_day?: string }) {
  return useQuery({
    queryKey: ["get", "/v1/reconciliation/report", days],
    queryFn: async ({ signal }): Promise<ReportOut> => (await api.GET("/v1/reconciliation/report", { params: { query: days }, signal })).data as ReportOut,
    placeholderData: keepPreviousData,
  });
}

export function useSavings(days: { from_day?: string; to_day?: string }) {
  return $api.useQuery("get", "/v1/reconciliation/savings", { params: { query: days } }, { placeholderData: (before) => before });
}

export function useImports() {
  return usePages<ImportOut>(["get", IMPORTS], async (cursor) => (await api.GET("/v1/reconciliation/imports", { params: { query: { cursor } } })).data!);
}
