import { Download, X } from "lucide-react";
import type { ReportOut } from "@/api/schema";
import { buttonClass } from "@/design/Button";
import { Select } from "@/design/Field";
import { Segments } from "@/design/Segments";
import { providerName } from "@/providers/providers";

export type ReportView = { show?: "all"; provider?: string; day?: string };
type Props = { report: ReportOut; view: ReportView; onChange: (view: ReportView) => void; days: { from_day?: string; to_day?: string } };

/** Which rows are shown, and all of them as a file. */
export function ReportFilters({ report, view, onChange, days }: Props) {
  const providers = [...new Set(report.rows.map((row) => row.provider))];
  const asked = new URLSearchParams({ ...days, ...(view.provider ? { provider: view.provider } : {}), form: "csv" });
  return (
    <div className="mb-3 flex flex-wrap items-center gap-2">
      <Segments label="Which rows" value={view.show ?? "differ"} options={[["differ", "To look at"], ["all", "All rows"]]} onChange={(next) => onChange({ ...view, show: next === "all" ? next : undefined })} />
      <div className="w-40">
        <Select aria-label="Provider" value={view.provider ?? ""} onChange={(event) => onChange({ ...view, provider: event.target.value || undefined })}>
          <option value="">Every provider</option>
          {providers.map((name) => <option key={name} value={name}>{providerName(name)}</option>)}
        </Select>
      </div>
      {view.day && (
        <button type="button" onClick={() => onChange({ ...view, day: undefined })} className="flex h-8 items-center gap-1.5 rounded-md bg-accent-soft px-2.5 text-accent-ink" aria-label={`Show every day, not only ${view.day}`}>
          <b className="font-semibold">{view.day}</b><X size={13} aria-hidden />
        </button>
      )}
      <a href={`/v1/reconciliation/report?${asked}`} download className={`${buttonClass()} ml-auto`}><Download size={14} aria-hidden />CSV</a>
    </div>
  );
}
