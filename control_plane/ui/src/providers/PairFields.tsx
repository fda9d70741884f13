import { Plus, X } from "lucide-react";
import { Button, IconButton } from "@/design/Button";
import { Input } from "@/design/Field";

export type Pair = { name: string; value: string };

export function toPairs(map: Record<string, string>): Pair[] {
  return Object.entries(map).map(([name, value]) => ({ name, value }));
}

export function fromPairs(pairs: Pair[]): Record<string, string> {
  return Object.fromEntries(pairs.filter((pair) => pair.name.trim() && pair.value.trim()).map((pair) => [pair.name.trim(), pair.value.trim()]));
}

type Props = { legend: string; add: string; placeholders: readonly [string, string]; pairs: Pair[]; onChange: (pairs: Pair[]) => void; names?: readonly string[] };

/** Rows of a name and a value. */
export function PairFields({ legend, add, placeholders, pairs, onChange, names }: Props) {
  const edit = (index: number, change: Partial<Pair>) => onChange(pairs.map((pair, at) => (at === index ? { ...pair, ...change } : pair)));
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1.5 font-medium">{legend}</legend>
      {names && <datalist id="pair-names">{names.map((name) => <option key={name} value={name} />)}</datalist>}
      {pairs.map((pair, index) => (
        <div key={index} className="flex gap-2">
          <Input aria-label={placeholders[0]} list={names && "pair-names"} value={pair.name} placeholder={placeholders[0]} onChange={(event) => edit(index, { name: event.target.value })} />
          <Input aria-label={placeholders[1]} value={pair.value} placeholder={placeholders[1]} onChange={(event) => edit(index, { value: event.target.value })} />
          <IconButton label={`Remove ${pair.name || "this row"}`} onClick={() => onChange(pairs.filter((_, at) => at !== index))}><X size={15} /></IconButton>
        </div>
      ))}
      <div><Button small look="quiet" icon={<Plus size={14} />} onClick={() => onChange([...pairs, { name: "", value: "" }])}>{add}</Button></div>
    </fieldset>
  );
}
