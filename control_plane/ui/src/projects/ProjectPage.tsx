import { getRouteApi, Link } from "@tanstack/react-router";
import { UsageBoard } from "@/analytics/UsageBoard";
import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import { PageLoading } from "@/app/PageLoading";
import { useMay } from "@/auth/session";
import { LimitList } from "@/budgets/LimitList";
import { Badge } from "@/design/Badge";
import { buttonClass } from "@/design/Button";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { KeyList } from "@/keys/KeyList";
import { ProjectSettings } from "./ProjectSettings";

const route = getRouteApi("/shell/projects/$projectId");

export function ProjectPage() {
  const { projectId } = route.useParams();
  const maySeeUsage = useMay("usage:read");
  const { tab = maySeeUsage ? "usage" : "keys", open, view, new: adding, ...question } = route.useSearch();
  const navigate = route.useNavigate();
  const mayReadKeys = useMay("keys:read");
  const mayReadLimits = useMay("budgets:read");
  const mayConnect = useMay("keys:write");
  const { data: project, error, refetch } = $api.useQuery("get", "/v1/projects/{project_id}", { params: { path: { project_id: projectId } } });
  if (error) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  if (!project) return <PageLoading />;
  const tabs = ([["usage", "Usage", maySeeUsage], ["keys", "Keys", mayReadKeys], ["limits", "Budgets & quotas", mayReadLimits], ["settings", "Settings", true]] as const).filter(([, , shown]) => shown);
  return (
    <>
      <PageHeader
        title={project.name}
        before={<Link to="/projects" className="hover:text-ink">Projects</Link>}
        description={project.archived_at_ms ? <Badge>Archived: its keys work no more</Badge> : undefined}
        actions={mayConnect && !project.archived_at_ms && <Link to="/onboarding" search={{ project: projectId }} className={buttonClass()}>Connect an application</Link>}
      />
      <Tabs label="About this project" value={tab} tabs={tabs.map(([id, name]) => [id, name] as const)} onChange={(next) => void navigate({ search: { tab: next } })}>
        {tab === "usage" && <UsageBoard project={projectId} question={question} onChange={(next) => void navigate({ search: { ...next, tab } })} />}
        {tab === "keys" && <KeyList projectId={projectId} open={open} onOpen={(id) => void navigate({ search: { tab, open: id } })} />}
        {tab === "limits" && <LimitList projectId={projectId} shown={{ open, view, new: adding }} onShow={(next) => void navigate({ search: { tab, ...next } })} />}
        {tab === "settings" && <ProjectSettings project={project} />}
      </Tabs>
    </>
  );
}
