import { Scale } from "lucide-react";
import { useState, type ReactNode } from "react";
import { ProblemState } from "@/api/ProblemState";
import { useMay } from "@/auth/session";
import { EmptyState } from "@/design/EmptyState";
import { Skeleton } from "@/design/Skeleton";
import { Conclusion } from "./Conclusion";
import { DayStrip } from "./DayStrip";
import { MapName } from "./MapName";
import { modelsOf, type Billed } from "./mappings";
import { ReportFilters, type ReportView } from "./ReportFilters";
import { ReportTable } from "./ReportTable";
import { TO_LOOK_AT, useReport } from "./sources";
import { TotalCards } from "./TotalCards";

type Props = { view: ReportView; onChange: (view: ReportView) => void; days: { from_day?: string; to_day?: string }; add: ReactNode };

/** What gateways counted against what providers say, by day, model and measure. */
export function Report({ view, onChange, days, add }: Props) {
  const { data: report, error, refetch } = useReport(days);
  const [mapping, setMapping] = useState<Billed | null>(null);
  const mayWrite = useMay("reconciliation:write");
  if (error && !report) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  if (!report) return <div className="flex flex-col gap-4" aria-busy><Skeleton className="h-20 w-full" /><Skeleton className="h-36 w-full" /><Skeleton className="h-96 w-full" /></div>;
  if (report.rows.length === 0) {
    return (
      <div className="rounded-lg border border-line bg-surface">
        <EmptyState icon={<Scale size={18} />} title="Nothing to compare in these days" action={add}>No call went to a provider whose account can be imported, and no account was.</EmptyState>
      </div>
    );
  }
  const all = view.show === "all";
  const rows = report.rows.filter((row) => (all || TO_LOOK_AT.includes(row.verdict)) && (!view.provider || row.provider === view.provider) && (!view.day || row.day === view.day));
  return (
    <div className="flex flex-col gap-4">
      <Conclusion report={report} />
      <DayStrip report={report} day={view.day} provider={view.provider} onPick={(provider, day) => onChange({ ...view, show: "all", ...(view.day === day && view.provider === provider ? { day: undefined, provider: undefined } : { provider, day }) })} />
      {report.totals.length > 0 && <TotalCards report={report} />}
      <section>
        <ReportFilters report={report} view={view} onChange={onChange} days={days} />
        <ReportTable key={JSON.stringify(view)} rows={rows} onMap={mayWrite ? setMapping : undefined} />
      </section>
      {(report.unsupported.length > 0 || report.currencies.length > 0) && (
        <p className="text-xs text-ink-3">
          {report.unsupported.length > 0 && `Not compared, since their accounts cannot be imported: ${report.unsupported.join(", ")}. `}
          {report.currencies.length > 0 && `Costs in ${report.currencies.join(", ")} are not compared with ours, which are in dollars.`}
        </p>
      )}
      {mapping && <MapName name={mapping} models={modelsOf(report, mapping.provider)} onClose={() => setMapping(null)} />}
    </div>
  );
}
