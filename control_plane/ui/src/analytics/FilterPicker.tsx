import { Check, ListFilter } from "lucide-react";
import { Popover } from "radix-ui";
import { useState } from "react";
import { $api } from "@/api/client";
import { Button } from "@/design/Button";
import { Input, Select } from "@/design/Field";
import { compact } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { asked, toggled, type Filter, type Question, type Range } from "./question";
import { useValueNames } from "./valueNames";

const OFFERED = { model: "model", key_id: "key", user_id: "user", team: "team", tag: "tag", route: "route", provider: "provider", outcome: "outcome", status: "status" } as const satisfies Record<Filter, string>;
/** As many as the API takes of one filter (control_plane/analytics/asked.py). */
const VALUES_MAX = 50;

type Props = { question: Question; onChange: (question: Question) => void; rangeDefault: Range };

/** Values of the period are ticked: any of them. */
export function FilterPicker({ question, onChange, rangeDefault }: Props) {
  const [open, setOpen] = useState(false);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger asChild><Button icon={<ListFilter size={14} aria-hidden />}>Filter</Button></Popover.Trigger>
      <Popover.Portal>
        <Popover.Content align="start" sideOffset={6} collisionPadding={8} aria-label="Filter" className="z-40 w-72 rounded-lg border border-line bg-raised p-2 shadow-float animate-appear focus:outline-none">
          <Values question={question} onChange={onChange} rangeDefault={rangeDefault} />
        </Popover.Content>
      </Popover.Portal>
    </Popover.Root>
  );
}

function Values({ question, onChange, rangeDefault }: Props) {
  const [name, setName] = useState<Filter>("model");
  const [typed, setTyped] = useState("");
  const nameOf = useValueNames(name);
  // Without its own filter, or nothing but what is ticked would be offered.
  const query = asked({ ...question, [name]: undefined }, rangeDefault);
  const { data } = $api.useQuery("get", `/v1/metrics/cost-by-${OFFERED[name]}`, { params: { query: { ...query, sort: "calls", limit: VALUES_MAX } } });
  const ticked = question[name] ?? [];
  const found = data?.rows.filter((row) => row.value !== "").map((row) => [row.value, row.total.calls] as const) ?? [];
  const gone = ticked.filter((value) => !found.some(([one]) => one === value)).map((value) => [value, undefined] as const);
  const shown = [...gone, ...found].filter(([value]) => nameOf(name, value).toLowerCase().includes(typed.toLowerCase()));
  return (
    <div className="flex flex-col gap-2">
      <div className="grid grid-cols-[7rem_1fr] gap-2">
        <Select aria-label="Filter by" value={name} onChange={(event) => { setName(event.target.value as Filter); setTyped(""); }}>{Object.entries(OFFERED).map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select>
        <Input aria-label="Find a value" placeholder="Find" value={typed} onChange={(event) => setTyped(event.target.value)} />
      </div>
      <ul className="max-h-72 min-h-24 overflow-y-auto" aria-label={`Values of ${OFFERED[name]}`} aria-busy={!data}>
        {!data && <li><Skeleton className="h-24 w-full" /></li>}
        {data && shown.length === 0 && <li className="flex h-24 items-center justify-center text-xs text-ink-3">Nothing in this period.</li>}
        {shown.map(([value, calls]) => (
          <li key={value}>
            <button type="button" role="checkbox" aria-checked={ticked.includes(value)} onClick={() => onChange(toggled(question, name, value))} className="flex h-8 w-full items-center gap-2 rounded-[5px] px-2 text-left hover:bg-hover focus-visible:-outline-offset-2">
              <span aria-hidden className="flex size-4 shrink-0 items-center justify-center rounded border border-line-strong">{ticked.includes(value) && <Check size={12} className="text-accent" />}</span>
              <span className="min-w-0 flex-1 truncate">{nameOf(name, value)}</span>
              <span className="tabular text-xs text-ink-3">{calls === undefined ? "" : compact(calls)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
