import { X } from "lucide-react";
import type { ReactNode } from "react";
import { Input, Select } from "@/design/Field";
import { activeFilters, RANGE_DEFAULT, RANGES, type Question, type Range } from "./question";
import { useValueNames } from "./valueNames";

type Props = { question: Question; onChange: (question: Question) => void; rangeDefault?: Range; children?: ReactNode };

const DAY_MS = 86_400_000;

/** The period and what narrows it; all of it is in the address. */
export function PeriodBar({ question, onChange, rangeDefault = RANGE_DEFAULT, children }: Props) {
  const nameOf = useValueNames();
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
      {isOwn && (
        <>
          <Input type="date" aria-label="From" className="!w-36" value={question.from!.slice(0, 10)} onChange={(event) => onChange({ ...question, from: event.target.value || undefined })} />
          <Input type="date" aria-label="Until" className="!w-36" value={question.to?.slice(0, 10) ?? ""} onChange={(event) => onChange({ ...question, to: event.target.value || undefined })} />
        </>
      )}
      {activeFilters(question).map(([name, value]) => (
        <button key={name} type="button" onClick={() => onChange({ ...question, [name]: undefined })} className="flex h-8 items-center gap-1.5 rounded-md bg-accent-soft px-2.5 text-accent-ink" aria-label={`Remove the filter ${name}`}>
          {name.replace("_id", "")}
          <b className="max-w-40 truncate font-semibold">{nameOf(name, value)}</b>
          <X size={13} aria-hidden />
        </button>
      ))}
    </div>
  );
}
