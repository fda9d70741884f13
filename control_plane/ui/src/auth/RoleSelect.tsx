import { Select } from "@/design/Field";
import { ROLES } from "./members";
import type { Role } from "./session";

type Props = { value: Role; onChange: (role: Role) => void; label?: string; disabled?: boolean };

export function RoleSelect({ value, onChange, label, disabled }: Props) {
  return (
    <Select value={value} aria-label={label} disabled={disabled} onChange={(event) => onChange(event.target.value as Role)} className="capitalize">
      {ROLES.map(([role]) => <option key={role} value={role}>{role}</option>)}
    </Select>
  );
}
