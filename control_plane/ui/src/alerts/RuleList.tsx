import { BellRing } from "lucide-react";
import { useMemo, type ReactNode } from "react";
import type { AlertRuleOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { EmptyState } from "@/design/EmptyState";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { useWide } from "@/design/width";
import { ProjectLink } from "@/projects/ProjectName";
import { useProjectNames } from "@/projects/projects";
import { RuleMenu } from "./RuleMenu";
import { CHANNELS, TRIGGERS, useRules } from "./rules";

function columns(names: ReadonlyMap<string, string>, mayWrite: boolean): Column<AlertRuleOut>[] {
  return [
    {
      key: "name",
      head: "Rule",
      text: (rule) => rule.name,
      cell: (rule) => (
        <div className="py-1.5">
          <div className="font-medium">{rule.name}</div>
          <div className="text-xs text-ink-3">
            {TRIGGERS[rule.trigger]}
            {rule.thresholds.length > 0 && `: ${rule.thresholds.map((one) => `${one}%`).join(", ")}`}
            {rule.anomaly && `: ${rule.anomaly.factor ?? 3} times the usual`}
          </div>
        </div>
      ),
    },
    { key: "trigger", head: "When", from: "never", text: (rule) => rule.trigger, cell: () => null },
    { key: "to", head: "Goes to", from: "sm", text: (rule) => `${rule.channel} ${rule.target_hint}`, cell: (rule) => <div className="py-1.5"><div>{CHANNELS[rule.channel]}</div><div className="max-w-56 truncate text-xs text-ink-3">{rule.target_hint}</div></div> },
    { key: "project", head: "Project", from: "md", text: (rule) => rule.project_id, cell: (rule) => <ProjectLink id={rule.project_id} names={names} /> },
    { key: "state", head: "State", text: (rule) => (rule.enabled ? "on" : "off"), cell: (rule) => (rule.enabled ? <Badge tone="good" dot>On</Badge> : <Badge>Off</Badge>) },
    ...(mayWrite ? [{ key: "menu", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (rule: AlertRuleOut) => <RowActions><RuleMenu rule={rule} /></RowActions> }] : []),
  ];
}

export function RuleList({ action }: { action: ReactNode }) {
  const mayWrite = useMay("alerts:write");
  const names = useProjectNames(useWide("md"));
  const shown = useMemo(() => columns(names, mayWrite), [names, mayWrite]);
  return (
    <ListView
      label="Alert rules"
      list={useRules()}
      columns={shown}
      rowKey={(rule) => rule.id}
      empty={<EmptyState icon={<BellRing size={18} />} title="Nobody is told yet" action={action}>Send thresholds, unusual spend and kill switches to Slack, to a mailbox or to a webhook.</EmptyState>}
    />
  );
}
