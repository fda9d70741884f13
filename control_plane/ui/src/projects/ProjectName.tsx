import { Link } from "@tanstack/react-router";
import { useProjectNames } from "./projects";

type Props = { id: string | null; names: ReadonlyMap<string, string> };

/** Where something belongs; no project is the whole organization. For lists, which read the names once. */
export function ProjectLink({ id, names }: Props) {
  if (id === null) return <span className="text-ink-2">All projects</span>;
  return (
    <Link to="/projects/$projectId" params={{ projectId: id }} className="hover:underline" onClick={(event) => event.stopPropagation()}>
      {names.get(id) ?? id}
    </Link>
  );
}

export function ProjectName({ id }: Pick<Props, "id">) {
  return <ProjectLink id={id} names={useProjectNames()} />;
}
