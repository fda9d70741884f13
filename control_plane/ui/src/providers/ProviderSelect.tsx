import { Select } from "@/design/Field";
import { PROVIDERS } from "./providers";

type Props = { value: string; onChange: (name: string) => void; extra?: readonly (readonly [string, string])[]; disabled?: boolean };

export function ProviderSelect({ value, onChange, extra = [], disabled }: Props) {
  return (
    <Select value={value} disabled={disabled} onChange={(event) => onChange(event.target.value)}>
      {[...Object.entries(PROVIDERS), ...extra].map(([id, name]) => <option key={id} value={id}>{name}</option>)}
    </Select>
  );
}
