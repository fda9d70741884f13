import { Plus, X } from "lucide-react";
import { Button, IconButton } from "@/design/Button";
import { Input, Select } from "@/design/Field";
import { DIMENSIONS } from "./limits";

export type ScopeRow = { dimension: string; value: string };

export function toScope(rows: ScopeRow[]): Record<string, string> {
  return Object.fromEntries(rows.filter((row) => row.value.trim()).map((row) => [row.dimension, row.value.trim()]));
}

export function toRows(scope: Record<string, string>): ScopeRow[] {
  return Object.entries(scope).map(([dimension, value]) => ({ dimension, value }));
}

type Props = { rows: ScopeRow[]; onChange: (rows: ScopeRow[]) => void; each?: boolean };

/** Which calls it is about, beyond the project; `each` allows * for a counter of its own for each value. */
export function ScopeFields({ rows, onChange, each }: Props) {
  const free = DIMENSIONS.filter((dimension) => !rows.some((row) => row.dimension === dimension));
  const edit = (index: number, change: Partial<ScopeRow>) => onChange(rows.map((row, at) => (at === index ? { ...row, ...change } : row)));
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1.5 font-medium">Only some of these calls <span className="font-normal text-ink-3">optional</span></legend>
      {rows.map((row, index) => (
        <div key={row.dimension} className="flex gap-2">
          <div className="w-32 shrink-0">
            <Select aria-label="Dimension" value={row.dimension} onChange={(event) => edit(index, { dimension: event.target.value })}>
              {[row.dimension, ...free].map((dimension) => <option key={dimension}>{dimension}</option>)}
            </Select>
          </div>
          <Input aria-label={`Value of ${row.dimension}`} value={row.value} onChange={(event) => edit(index, { value: event.target.value })} placeholder={each ? "a value, or * for each" : "a value"} />
          <IconButton label={`Remove ${row.dimension}`} onClick={() => onChange(rows.filter((_, at) => at !== index))}><X size={15} /></IconButton>
        </div>
      ))}
      {free.length > 0 && <div><Button small look="quiet" icon={<Plus size={14} />} onClick={() => onChange([...rows, { dimension: free[0]!, value: "" }])}>Add a condition</Button></div>}
    </fieldset>
  );
}
