import { getRouteApi } from "@tanstack/react-router";
import { FolderKanban, Plus } from "lucide-react";
import type { ProjectOut } from "@/api/schema";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { Gradually } from "@/design/Gradually";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { PageHeader } from "@/design/PageHeader";
import { Segments } from "@/design/Segments";
import type { Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { CreateProject } from "./CreateProject";
import { useProjectList } from "./projects";

const route = getRouteApi("/shell/projects");

const COLUMNS: Column<ProjectOut>[] = [
  { key: "name", head: "Name", text: (project) => project.name, cell: (project) => <span className="font-medium">{project.name}</span> },
  { key: "id", head: "Id", from: "md", text: (project) => project.id, cell: (project) => <code className="font-mono text-xs text-ink-3">{project.id}</code> },
  { key: "state", head: "State", from: "sm", text: (project) => (project.archived_at_ms ? "archived" : "active"), cell: (project) => (project.archived_at_ms ? <Badge>Archived</Badge> : <Badge tone="good" dot>Active</Badge>) },
  { key: "created", head: "Created", numeric: true, text: (project) => written(project.created_at_ms), cell: (project) => <span className="text-ink-2"><Time ms={project.created_at_ms} /></span> },
];

export function ProjectsPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("projects:write");
  const list = useProjectList(search.archived ?? false);
  const openNew = (open: boolean) => void navigate({ search: (before) => ({ ...before, new: open || undefined }) });
  const createButton = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => openNew(true)}>New project</Button>;
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/projects"]} actions={createButton} />
      <div className="mb-3">
        <Segments label="Which projects" value={search.archived ? "archived" : "active"} options={[["active", "Active"], ["archived", "Archived"]]} onChange={(which) => void navigate({ search: { archived: which === "archived" || undefined } })} />
      </div>
      <ListView
        label="Projects"
        list={list}
        columns={COLUMNS}
        rowKey={(project) => project.id}
        onOpen={(project) => void navigate({ to: "/projects/$projectId", params: { projectId: project.id } })}
        empty={<EmptyState icon={<FolderKanban size={18} />} title="No projects yet" action={createButton}>A project groups the keys of one product, team or environment, and shows what they cost.</EmptyState>}
      />
      {search.new && mayWrite && <CreateProject onClose={() => openNew(false)} />}
    </Gradually>
  );
}
