import { Select } from "@/design/Field";
import { useProjects } from "./projects";

type Props = { value: string; onChange: (id: string) => void; all?: string; label?: string; required?: boolean };

/** `all` names the choice of none. */
export function ProjectSelect({ value, onChange, all, label, required }: Props) {
  const projects = useProjects();
  return (
    <Select value={value} onChange={(event) => onChange(event.target.value)} aria-label={label} required={required}>
      {all !== undefined ? <option value="">{all}</option> : <option value="" disabled>Choose a project</option>}
      {projects?.map((project) => <option key={project.id} value={project.id}>{project.name}</option>)}
    </Select>
  );
}
