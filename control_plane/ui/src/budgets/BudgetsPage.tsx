import { getRouteApi, Link } from "@tanstack/react-router";
import { Gauge, History, Plus, Timer } from "lucide-react";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { Button, buttonClass } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { BudgetForm } from "./BudgetForm";
import { LimitDetails, type View } from "./LimitDetails";
import { LimitTable } from "./LimitTable";
import { useBudgets, useQuotas, type Kind } from "./limits";
import { QuotaForm } from "./QuotaForm";

const route = getRouteApi("/shell/budgets");
const TABS = [["budgets", "Budgets"], ["quotas", "Quotas"]] as const;

export function BudgetsPage() {
  const { tab = "budgets", project, open, view, new: adding } = route.useSearch();
  const navigate = route.useNavigate();
  const mayWrite = useMay("budgets:write");
  const budgets = useBudgets(project);
  const quotas = useQuotas(project);
  const list = tab === "quotas" ? quotas : budgets;
  const opened = list.rows?.find((limit) => limit.id === open);
  const set = (change: { open?: string; view?: View; new?: Kind; project?: string }) => void navigate({ search: (before) => ({ ...before, open: undefined, view: undefined, new: undefined, ...change }) });
  const addKind = tab === "quotas" ? "quota" : "budget";
  const add = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => set({ new: addKind })}>{`Set a ${addKind}`}</Button>;
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/budgets"]} actions={<><Link to="/backtest" search={{ project }} className={buttonClass()}><History size={15} aria-hidden />Backtest</Link>{add}</>} />
      <Tabs label="Kinds of limits" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: { project, tab: next === "quotas" ? next : undefined } })}>
        <div className="mb-3 w-52"><ProjectSelect label="Project" all="All projects" value={project ?? ""} onChange={(id) => set({ project: id || undefined })} /></div>
        <LimitTable
          label={tab === "quotas" ? "Quotas" : "Budgets"}
          kind={addKind}
          list={list}
          withProject
          onOpen={(limit) => set({ open: limit.id })}
          empty={
            tab === "quotas" ? (
              <EmptyState icon={<Timer size={18} />} title="No quotas yet" action={add}>Limit requests, tokens or calls at a time: for everybody, or for each user, key or model.</EmptyState>
            ) : (
              <EmptyState icon={<Gauge size={18} />} title="No budgets yet" action={add}>A budget blocks calls that would go over it, or only alerts you. Alerts are sent at 50, 80, 90 and 100 per cent.</EmptyState>
            )
          }
        />
      </Tabs>
      {opened && <LimitDetails limit={opened} view={view} onView={(next) => set({ open, view: next })} onClose={() => set({})} />}
      {mayWrite && adding === "budget" && <BudgetForm projectId={project} onClose={() => set({})} />}
      {mayWrite && adding === "quota" && <QuotaForm projectId={project} onClose={() => set({})} />}
    </Gradually>
  );
}
