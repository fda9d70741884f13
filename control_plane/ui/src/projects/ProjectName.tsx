import { Link } from "@tanstack/react-router";
import { useProjectNames } from "./projects";

/** Where something belongs; no project is the whole organization. */
export function ProjectName({ id }: { id: string | null }) {
  const names = useProjectNames();
  if (id === null) return <span className="text-ink-2">All projects</span>;
  return (
    <Link to="/projects/$projectId" params={{ projectId: id }} className="hover:underline" onClick={(event) => event.stopPropagation()}>
      {names.get(id) ?? id}
    </Link>
  );
}
