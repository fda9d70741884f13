import { X } from "lucide-react";
import { useState } from "react";
import { Button } from "@/design/Button";
import { Input } from "@/design/Field";

export type Filters = { actor?: string; action?: string; subject?: string; from?: string; to?: string };

/** What a date and time field says, as UTC milliseconds; nothing where it says nothing. */
export function toMs(local: string | undefined): number | undefined {
  const ms = local ? new Date(local).getTime() : Number.NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

type Props = { filters: Filters; onChange: (filters: Filters) => void };

const TEXTS = [["action", "Action", "key:create"], ["subject", "Of", "key:key_…"], ["actor", "By", "user:usr_…"]] as const;

export function AuditFilters({ filters, onChange }: Props) {
  const active = Object.values(filters).some(Boolean);
  return (
    <div role="search" aria-label="Audit log" className="mb-3 grid grid-cols-2 items-end gap-2 sm:flex sm:flex-wrap">
      {TEXTS.map(([name, label, example]) => (
        <TextFilter key={`${name}${filters[name] ?? ""}`} label={label} example={example} value={filters[name] ?? ""} onChange={(value) => onChange({ ...filters, [name]: value || undefined })} />
      ))}
      {(["from", "to"] as const).map((name) => (
        <label key={name} className="col-span-2 flex flex-col gap-1 text-xs text-ink-3">
          {name === "from" ? "From" : "Until"}
          <Input type="datetime-local" className="sm:!w-48" value={filters[name] ?? ""} onChange={(event) => onChange({ ...filters, [name]: event.target.value || undefined })} />
        </label>
      ))}
      {active && <Button look="quiet" icon={<X size={14} />} onClick={() => onChange({})}>Clear</Button>}
    </div>
  );
}

/** Asked once it is left or Enter is pressed, since the API wants it whole. */
function TextFilter({ label, example, value, onChange }: { label: string; example: string; value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const tell = () => typed.trim() !== value && onChange(typed.trim());
  return (
    <label className="flex flex-col gap-1 text-xs text-ink-3">
      {label}
      <Input className="sm:!w-40" value={typed} placeholder={example} onChange={(event) => setTyped(event.target.value)} onBlur={tell} onKeyDown={(event) => event.key === "Enter" && tell()} />
    </label>
  );
}
