import { getRouteApi } from "@tanstack/react-router";
import { HEADINGS } from "@/app/headings";
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
      <PageHeader {...HEADINGS["/usage"]} actions={project} />
      <UsageBoard question={question} onChange={(next) => void navigate({ search: next })} />
    </Gradually>
  );
}
