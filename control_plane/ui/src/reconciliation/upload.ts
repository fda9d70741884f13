import { api, refresh } from "@/api/client";
import type { ImportOut } from "@/api/schema";
import { RECONCILIATION, type SourceName } from "./sources";

/** As much as the API takes (control_plane/reconciliation/routes.py). */
export const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** Why a file is not sent at all, if there is a reason. */
export function unfit(file: Pick<File, "size"> | null): string | undefined {
  if (file === null) return "Choose a file";
  if (file.size === 0) return "The file is empty";
  if (file.size > FILE_BYTES_MAX) return "It is larger than 64 MiB: export fewer days, or pack it with gzip";
  return undefined;
}

/** Which source a file is most likely of, by its name. */
export function guessed(name: string): SourceName | undefined {
  const lower = name.toLowerCase();
  const isCost = /cost|invoice|bill/.test(lower);
  if (lower.includes("openai")) return isCost ? "openai_costs" : "openai_usage";
  if (/anthropic|claude/.test(lower)) return isCost ? "anthropic_costs" : "anthropic_usage";
  if (lower.includes("azure")) return "azure_costs";
  if (/\bcur\b|aws|\.parquet$/.test(lower)) return "aws_cur";
  return undefined;
}

/** The file as it is; what was imported of the same source and days is replaced. */
export async function send(source: SourceName, file: File, exportedAtMs: number | undefined): Promise<ImportOut> {
  const { data } = await api.POST("/v1/reconciliation/imports", {
    params: { query: { source, exported_at_ms: exportedAtMs } },
    // The document does not describe the body, which is the file's bytes whatever they are.
    body: file as never,
    bodySerializer: () => file,
    headers: { "content-type": "application/octet-stream" },
  });
  await refresh(RECONCILIATION);
  return data!;
}
