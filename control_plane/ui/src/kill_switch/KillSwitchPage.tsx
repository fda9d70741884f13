import { getRouteApi } from "@tanstack/react-router";
import { History } from "lucide-react";
import type { KillSwitchOut } from "@/api/schema";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { scopeWords } from "@/budgets/limits";
import { Badge } from "@/design/Badge";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { Gradually } from "@/design/Gradually";
import { ListView } from "@/design/ListView";
import { PageHeader } from "@/design/PageHeader";
import type { Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { ProjectName } from "@/projects/ProjectName";
import { ActiveSwitch } from "./ActiveSwitch";
import { useActiveSwitches, useSwitchHistory } from "./switches";
import { TriggerPanel } from "./TriggerPanel";

const route = getRouteApi("/shell/kill-switch");

const COLUMNS: Column<KillSwitchOut>[] = [
  {
    key: "reason",
    head: "Reason",
    text: (one) => one.reason,
    cell: (one) => (
      <div className="py-1.5">
        <div className="font-medium">{one.reason}</div>
        <div className="text-xs text-ink-3"><ProjectName id={one.project_id} />{scopeWords(one.scope).map((words) => `, ${words}`)}</div>
      </div>
    ),
  },
  { key: "project", head: "Project", from: "never", text: (one) => one.project_id, cell: () => null },
  { key: "state", head: "State", from: "sm", text: (one) => (one.active ? "on" : "released"), cell: (one) => (one.active ? <Badge tone="bad" dot>On</Badge> : <Badge>Released</Badge>) },
  { key: "on", head: "Thrown", numeric: true, text: (one) => written(one.activated_at_ms), cell: (one) => <span className="text-ink-2"><Time ms={one.activated_at_ms} /></span> },
  { key: "off", head: "Released", numeric: true, from: "md", text: (one) => written(one.released_at_ms), cell: (one) => <span className="text-ink-2"><Time ms={one.released_at_ms} fallback="–" /></span> },
];

export function KillSwitchPage() {
  const { project } = route.useSearch();
  const mayThrow = useMay("kill_switch:write");
  const active = useActiveSwitches();
  const history = useSwitchHistory();
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/kill-switch"]} />
      <div className="flex flex-col gap-6">
        {active?.map((one) => <ActiveSwitch key={one.id} of={one} mayRelease={mayThrow} />)}
        {mayThrow && <TriggerPanel projectId={project} />}
        <section>
          <h2 className="mb-2 text-base">History</h2>
          <ListView label="Kill switches" list={history} columns={COLUMNS} rowKey={(one) => one.id} empty={<EmptyState icon={<History size={18} />} title="It was never used">Who threw a switch, why and for how long is kept here.</EmptyState>} />
        </section>
      </div>
    </Gradually>
  );
}
