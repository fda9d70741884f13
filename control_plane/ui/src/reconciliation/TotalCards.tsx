import { clsx } from "clsx";
import type { ReportOut, TotalOut } from "@/api/schema";
import { providerName } from "@/providers/providers";
import { ErrorBar } from "./ErrorBar";
import { difference, MEASURES, TO_LOOK_AT, told } from "./sources";

/** Each provider's sums: what gateways counted, what the provider says, and how far apart these are. */
export function TotalCards({ report }: { report: ReportOut }) {
  const providers = [...new Set(report.totals.map((total) => total.provider))];
  return (
    <div className={clsx("grid gap-4", providers.length > 1 && "2xl:grid-cols-2")}>
      {providers.map((provider) => (
        <Provider key={provider} provider={provider} totals={report.totals.filter((total) => total.provider === provider)} report={report} />
      ))}
    </div>
  );
}

function Provider({ provider, totals, report }: { provider: string; totals: TotalOut[]; report: ReportOut }) {
  const suspect = new Set(report.rows.filter((row) => row.provider === provider && TO_LOOK_AT.includes(row.verdict)).map((row) => row.compared));
  return (
    <section className="relative min-w-0 overflow-x-auto rounded-lg border border-line bg-surface" aria-label={`Sums of ${providerName(provider)}`} role="region" tabIndex={0}>
      <table className="w-full text-left">
        <thead>
          <tr className="border-b border-line text-xs text-ink-3">
            <th scope="col" className="h-10 pl-4 text-sm font-semibold text-ink">{providerName(provider)}</th>
            <th scope="col" className="px-1.5 text-right last:pr-4 sm:px-3 font-medium">Gateways</th>
            <th scope="col" className="px-1.5 text-right last:pr-4 sm:px-3 font-medium">Provider</th>
            <th scope="col" className="px-1.5 text-right last:pr-4 sm:px-3 font-medium">Difference</th>
            <th scope="col" className="pr-4 font-medium max-lg:hidden"><span className="sr-only">Beside the error</span></th>
          </tr>
        </thead>
        <tbody>
          {totals.map((total) => (
            <tr key={total.compared} className="h-9 border-b sm:whitespace-nowrap border-line last:border-0">
              <th scope="row" className="py-1.5 pl-4 font-normal">{MEASURES[total.compared]}</th>
              <td className="px-1.5 text-right last:pr-4 sm:px-3">{told(total.compared, total.ours)}</td>
              <td className="px-1.5 text-right last:pr-4 sm:px-3">{told(total.compared, total.theirs)}</td>
              <td className={`px-1.5 text-right last:pr-4 sm:px-3 font-medium ${suspect.has(total.compared) ? "text-bad" : ""}`}>{difference(total.compared, total.delta)}</td>
              <td className="pr-4 max-lg:hidden"><ErrorBar delta={Number(total.delta)} error={total.error === null ? null : Number(total.error)} bad={suspect.has(total.compared)} label={total.error === null ? "The error is not known" : `Ours may be off by ${told(total.compared, total.error)}`} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
