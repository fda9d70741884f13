import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Input, Select } from "@/design/Field";
import { FilterPicker } from "./FilterPicker";
import { localOf, momentOf } from "./ownDates";
import { activeFilters, RANGE_DEFAULT, RANGES, toggled, type Question, type Range } from "./question";
import { useValueNames } from "./valueNames";

type Props = { question: Question; onChange: (question: Question) => void; rangeDefault?: Range; children?: ReactNode; after?: ReactNode };

const DAY_MS = 86_400_000;

/** The period and what narrows it; all of it is in the address. */
export function PeriodBar({ question, onChange, rangeDefault = RANGE_DEFAULT, children, after }: Props) {
  const nameOf = useValueNames(...activeFilters(question).map(([name]) => name));
  const isOwn = question.from !== undefined;
  function choose(next: string) {
    const own = next === "own";
    onChange({ ...question, range: own ? undefined : (next as Range), from: own ? new Date(Date.now() - DAY_MS).toISOString().slice(0, 10) : undefined, to: undefined });
  }
  return (
    <div className="mb-4 flex flex-wrap items-center gap-2">
      {children}
      <div className="w-36">
        <Select aria-label="Period" value={isOwn ? "own" : (question.range ?? rangeDefault)} onChange={(event) => choose(event.target.value)}>
          {RANGES.map(([id, name]) => <option key={id} value={id}>{name}</option>)}
          <option value="own">Dates …</option>
        </Select>
      </div>
      {isOwn && (["from", "to"] as const).map((end) => (
        <Moment key={end} label={end === "from" ? "From" : "Until"} value={question[end]} precise={question.from!.includes("T")} onChange={(next) => onChange({ ...question, [end]: next })} />
      ))}
      <FilterPicker question={question} onChange={onChange} rangeDefault={rangeDefault} />
      {activeFilters(question).flatMap(([name, values]) => values.map((value) => (
        <button key={`${name} ${value}`} type="button" onClick={() => onChange(toggled(question, name, value))} className="flex h-8 items-center gap-1.5 rounded-md bg-accent-soft px-2.5 text-accent-ink" aria-label={`Remove the filter ${name} ${nameOf(name, value)}`}>
          {name.replace("_id", "")}
          <b className="max-w-40 truncate font-semibold">{nameOf(name, value)}</b>
          <X size={13} aria-hidden />
        </button>
      )))}
      {after && <div className="sm:ml-auto">{after}</div>}
    </div>
  );
}

/** A day, or a minute where the period is a stretch of a chart. */
function Moment({ label, value, precise, onChange }: { label: string; value: string | undefined; precise: boolean; onChange: (value: string | undefined) => void }) {
  if (!precise) return <Input type="date" aria-label={label} className="!w-36" value={value?.slice(0, 10) ?? ""} onChange={(event) => onChange(event.target.value || undefined)} />;
  return <Input type="datetime-local" aria-label={label} className="!w-48" value={localOf(value)} onChange={(event) => onChange(momentOf(event.target.value))} />;
}
