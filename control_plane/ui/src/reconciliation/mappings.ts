import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import type { MappingCreate, MappingOut, ReportOut, RowOut } from "@/api/schema";

export const MAPPINGS = "/v1/reconciliation/mappings";

export type Billed = { provider: MappingCreate["provider"]; billed: string };

export function useMappings() {
  return usePages<MappingOut>(["get", MAPPINGS], async (cursor) => (await api.GET("/v1/reconciliation/mappings", { params: { query: { cursor } } })).data!);
}

/** The name on the bill of a row that no call bears: it may mean a model of ours. Several names are one model already. */
export function unmatched(row: RowOut): Billed | undefined {
  const [billed, ...others] = row.billed;
  if (row.calls > 0 || row.theirs === null || row.named === "mapped" || billed === undefined || others.length > 0) return undefined;
  return { provider: row.provider as Billed["provider"], billed };
}

/** Models that calls of these days went to, of one provider. */
export function modelsOf(report: ReportOut, provider: string): string[] {
  const called = report.rows.filter((row) => row.provider === provider && row.calls > 0 && row.model && row.model !== "*");
  return [...new Set(called.map((row) => row.model))].sort();
}
