import { getRouteApi } from "@tanstack/react-router";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { UsageBoard } from "./UsageBoard";

const route = getRouteApi("/shell/usage");

export function UsagePage() {
  const question = route.useSearch();
  const navigate = route.useNavigate();
  const project = <div className="w-52"><ProjectSelect label="Project" all="All projects" value={question.project ?? ""} onChange={(id) => void navigate({ search: { ...question, project: id || undefined } })} /></div>;
  return (
    <Gradually>
      <PageHeader title="Usage" description="What calls cost, how fast they were and what failed. Press a row to narrow; drag over the chart to look closer." actions={project} />
      <UsageBoard question={question} onChange={(next) => void navigate({ search: next })} />
    </Gradually>
  );
}
