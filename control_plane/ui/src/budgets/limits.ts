import { useQuery } from "@tanstack/react-query";
import { $api, api } from "@/api/client";
import { usePages, type Listed } from "@/api/pages";
import type { BudgetOut, QuotaOut, StandingOut } from "@/api/schema";

export const BUDGETS = "/v1/budgets";
export const QUOTAS = "/v1/quotas";

export type Kind = "budget" | "quota";
export type Unit = QuotaOut["unit"];
export type Window = QuotaOut["window"];
type Dimension = "key" | "user" | "team" | "model" | "provider" | "upstream" | "route" | "tag";

/** A budget or a quota: both say how much of what, in which window, for which calls. */
export type Limit = {
  kind: Kind;
  id: string;
  projectId: string | null;
  name: string;
  unit: Unit;
  limit: string | number | null;
  window: Window;
  blocks: boolean;
  thresholds: number[];
  scope: Record<string, string>;
  timeZone: string;
  ceilingUsd: string | null;
  /** What a quota alone says: how many values it counts apart in a window, and with which status it refuses. */
  valuesMax?: number;
  answers429?: boolean;
  createdAtMs: number;
};

export const UNITS: readonly (readonly [Unit, string])[] = [
  ["requests", "Requests"],
  ["tokens", "Tokens"],
  ["tokens_in", "Input tokens"],
  ["tokens_out", "Output tokens"],
  ["concurrent", "Calls at a time"],
  ["usd", "US dollars"],
];
export const WINDOWS: readonly (readonly [Window, string])[] = [
  ["minute", "Minute"],
  ["hour", "Hour"],
  ["day", "Day"],
  ["week", "Week"],
  ["month", "Month"],
  ["total", "In all"],
];
export const DIMENSIONS: readonly Dimension[] = ["model", "key", "user", "team", "provider", "upstream", "route", "tag"];
const EACH = "*";
/** As many values of `*` as the API counts apart where nobody says otherwise. */
export const VALUES_DEFAULT = 10_000;
const LIVE_MS = 2_000;
/** As many as the API takes at once (control_plane/budgets/routes.py). */
const ASKED_MAX = 200;

export function fromBudget(budget: BudgetOut): Limit {
  return {
    kind: "budget",
    id: budget.id,
    projectId: budget.project_id,
    name: budget.name,
    unit: "usd",
    limit: budget.limit_usd,
    window: budget.period,
    blocks: budget.hard_stop,
    thresholds: budget.thresholds,
    scope: budget.scope,
    timeZone: budget.time_zone,
    ceilingUsd: budget.ceiling_usd,
    createdAtMs: budget.created_at_ms,
  };
}

export function fromQuota(quota: QuotaOut): Limit {
  return {
    kind: "quota",
    id: quota.id,
    projectId: quota.project_id,
    name: quota.name,
    unit: quota.unit,
    limit: quota.limit,
    window: quota.window,
    blocks: quota.action === "block",
    thresholds: quota.thresholds,
    scope: quota.scope,
    timeZone: quota.time_zone,
    ceilingUsd: quota.ceiling_usd,
    valuesMax: quota.values_max,
    answers429: quota.answers_429,
    createdAtMs: quota.created_at_ms,
  };
}

/** `Requests a minute of each user`, where nobody gave it a name. */
export function title(limit: Pick<Limit, "name" | "unit" | "window" | "scope">): string {
  if (limit.name) return limit.name;
  const what = UNITS.find(([unit]) => unit === limit.unit)![1];
  const each = Object.entries(limit.scope).find(([, value]) => value === EACH)?.[0];
  const when = limit.unit === "concurrent" ? "" : limit.window === "total" ? " in all" : ` a ${limit.window}`;
  return `${limit.unit === "usd" ? "Spend" : what}${when}${each ? ` of each ${each}` : ""}`;
}

/** Whether each value of something has a counter of its own. */
export function countsEach(scope: Record<string, string>): boolean {
  return Object.values(scope).includes(EACH);
}

/** What a scope says beside the project, in words. */
export function scopeWords(scope: Record<string, string>): string[] {
  return Object.entries(scope).map(([dimension, value]) => (value === EACH ? `each ${dimension}` : `${dimension} ${value}`));
}

export function useBudgets(projectId?: string): Listed<Limit> {
  return usePages(["get", BUDGETS, { projectId }], async (cursor) => {
    const { items, next_cursor } = (await api.GET("/v1/budgets", { params: { query: { project_id: projectId, cursor } } })).data!;
    return { items: items.map(fromBudget), next_cursor };
  });
}

export function useQuotas(projectId?: string): Listed<Limit> {
  return usePages(["get", QUOTAS, { projectId }], async (cursor) => {
    const { items, next_cursor } = (await api.GET("/v1/quotas", { params: { query: { project_id: projectId, cursor } } })).data!;
    return { items: items.map(fromQuota), next_cursor };
  });
}

/** How one stands, again and again. */
export function useStatus(kind: Kind, id: string) {
  const options = { refetchInterval: LIVE_MS };
  const budget = $api.useQuery("get", "/v1/budgets/{budget_id}/status", { params: { path: { budget_id: id } } }, { ...options, enabled: kind === "budget" });
  const quota = $api.useQuery("get", "/v1/quotas/{quota_id}/status", { params: { path: { quota_id: id } } }, { ...options, enabled: kind === "quota" });
  return kind === "budget" ? budget : quota;
}

async function readStandings(kind: Kind, ids: string[]): Promise<Record<string, StandingOut>> {
  const asked = Array.from({ length: Math.ceil(ids.length / ASKED_MAX) }, (_, page) => ids.slice(page * ASKED_MAX, (page + 1) * ASKED_MAX));
  const path = kind === "budget" ? "/v1/budgets/standing" : "/v1/quotas/standing";
  const answers = await Promise.all(asked.map((id) => api.GET(path, { params: { query: { id } } })));
  return Object.fromEntries(answers.flatMap((answer) => answer.data!).map((one) => [one.id, one]));
}

/** How those of a list stand, by their ids, again and again: one question for all. */
export function useStandings(kind: Kind, limits: Limit[] | undefined): Record<string, StandingOut> | undefined {
  const ids = limits?.map((limit) => limit.id) ?? [];
  const query = useQuery({
    queryKey: ["get", kind === "budget" ? BUDGETS : QUOTAS, "standing", ids],
    queryFn: () => readStandings(kind, ids),
    enabled: ids.length > 0,
    refetchInterval: LIVE_MS,
    placeholderData: (before) => before,
  });
  return query.data;
}

/** What is used of a limit: of calls at a time, those that run. */
export function used(unit: Unit, standing: Pick<StandingOut, "spent" | "held">): string | number | null {
  return unit === "concurrent" ? standing.held : standing.spent;
}
