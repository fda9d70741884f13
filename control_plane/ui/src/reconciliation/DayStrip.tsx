import { clsx } from "clsx";
import type { ReportOut } from "@/api/schema";
import { Card } from "@/design/Card";
import { providerName } from "@/providers/providers";
import { byDay, daysOf, VERDICTS, worst, type Verdict } from "./sources";

type Props = { report: ReportOut; day: string | undefined; provider: string | undefined; onPick: (provider: string, day: string) => void };

const LEGEND: readonly Verdict[] = ["matches", "overcounted", "bypass_suspected", "incomplete", "no_export"];
const LEGEND_WORDS: Partial<Record<Verdict, string>> = { matches: "Agrees", overcounted: "To look at" };

/** A mark for each day of each provider, by what is worst of it. */
export function DayStrip({ report, day, provider, onPick }: Props) {
  const days = daysOf(report.from_day, report.to_day);
  return (
    <Card
      title="Day by day"
      hint="UTC days; press one to see its rows"
      actions={
        <ul className="flex flex-wrap gap-x-3 gap-y-1 text-xs text-ink-2">
          {LEGEND.map((verdict) => (
            <li key={verdict} className="flex items-center gap-1.5"><span aria-hidden className={clsx("size-2 rounded-sm", VERDICTS[verdict].fill)} />{LEGEND_WORDS[verdict] ?? VERDICTS[verdict].name}</li>
          ))}
        </ul>
      }
    >
      <div className="flex flex-col gap-3">
        {[...byDay(report.rows)].map(([name, found]) => (
          <div key={name} className="grid grid-cols-1 items-center gap-x-4 gap-y-1 sm:grid-cols-[8rem_1fr]">
            <div className="truncate font-medium">{providerName(name)}</div>
            <div className="flex h-8 min-w-0 gap-px sm:gap-0.5">
              {days.map((one) => {
                const verdict = worst((found.get(one) ?? []).map((row) => row.verdict));
                const isPicked = one === day && name === provider;
                return (
                  <button
                    key={one}
                    type="button"
                    disabled={!found.has(one)}
                    aria-pressed={isPicked}
                    aria-label={`${providerName(name)}, ${one}: ${VERDICTS[verdict].name}`}
                    title={`${one}: ${VERDICTS[verdict].name}`}
                    onClick={() => onPick(name, one)}
                    className={clsx("min-w-0 flex-1 rounded-sm transition-opacity hover:opacity-75 disabled:opacity-40", VERDICTS[verdict].fill, isPicked && "outline-2 outline-offset-1 outline-accent")}
                  />
                );
              })}
            </div>
          </div>
        ))}
      </div>
      <div className="mt-1 flex justify-between text-xs text-ink-3 sm:pl-36"><span>{report.from_day}</span><span>{report.to_day}</span></div>
    </Card>
  );
}
