import { clsx } from "clsx";
import { Calculator, ShieldCheck, ShieldX } from "lucide-react";
import { Change } from "@/analytics/Change";
import { Stat } from "@/analytics/Stat";
import type { BacktestOut } from "@/api/schema";
import { amount, compact, count, dollars, moment } from "@/design/format";

type Props = { told: BacktestOut; before: BacktestOut | undefined; timeZone: string };

const LOOKS = {
  bad: [<ShieldX size={20} key="bad" />, "border-danger/40 bg-bad-soft", "text-bad"],
  good: [<ShieldCheck size={20} key="good" />, "border-line bg-surface", "text-good"],
  plain: [<Calculator size={20} key="plain" />, "border-line bg-surface", "text-ink-2"],
} as const;

/** What it comes to: a sentence, and the numbers behind it. `before` is the same at the prices in force. */
export function Outcome({ told, before, timeZone }: Props) {
  const tone = told.limit === null ? "plain" : told.refused_calls > 0 ? "bad" : "good";
  const [icon, frame, ink] = LOOKS[tone];
  return (
    <>
      <section role="status" className={clsx("flex gap-3 rounded-lg border p-4", frame)}>
        <span className={clsx("mt-0.5 shrink-0", ink)} aria-hidden>{icon}</span>
        <div className="min-w-0">
          <h2 className={clsx("text-base", tone === "bad" && ink)}>{headline(told)}</h2>
          <p className="max-w-3xl text-pretty text-ink-2">
            {told.first_refused_at_ms !== null && `The first on ${moment(told.first_refused_at_ms, timeZone)}. `}
            {told.unbounded_calls > 0 && `${count(told.unbounded_calls)} of them have no price and no ceiling. `}
            {before && told.unit === "usd" && `At the prices in force the same calls came to ${dollars(before.spent)}. `}
            {before && before.limit !== null && `This limit would have refused ${count(before.refused_calls)} of them then. `}
            {told.unknown_calls > 0 && `Of ${count(told.unknown_calls)} calls nobody knows what they used; they count as nothing. `}
            {told.refused_then > 0 && `${count(told.refused_then)} more were refused in fact, and are in no number.`}
          </p>
        </div>
      </section>
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Stat name="Calls" ready value={compact(told.calls)} hint={`in ${several(told.windows.length + told.windows_more, "window")}`} />
        <Stat name={told.unit === "usd" ? "Spent" : "Used"} ready value={amount(told.unit, told.spent)} hint={before && told.unit === "usd" ? <Share now={Number(told.spent)} then={Number(before.spent)} /> : "in all, before any refusal"} />
        <Stat name="Calls refused" ready value={count(told.refused_calls)} hint={told.calls ? `${((told.refused_calls / told.calls) * 100).toFixed(1)}% of all` : "of none"} />
        <Stat name="Not spent" ready value={dollars(told.refused_usd)} hint={`${several(told.users, "user")}, ${several(told.keys, "key")}`} />
      </div>
    </>
  );
}

function Share({ now, then }: { now: number; then: number }) {
  return then > 0 ? <><Change share={now / then - 1} worse /> beside now</> : <>in all</>;
}

function several(number: number, name: string): string {
  return `${count(number)} ${name}${number === 1 ? "" : "s"}`;
}

function headline(told: BacktestOut): string {
  if (told.calls === 0) return "There were no such calls";
  if (told.limit === null) return told.unit === "usd" ? `They would have cost ${dollars(told.spent)}` : `They used ${amount(told.unit, told.spent)}`;
  if (told.refused_calls === 0) return `It would have refused none of ${count(told.calls)} calls`;
  return `It would have refused ${count(told.refused_calls)} of ${count(told.calls)} calls`;
}
