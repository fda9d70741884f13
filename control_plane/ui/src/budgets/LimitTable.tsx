import { useMemo, type ReactNode } from "react";
import type { Listed } from "@/api/pages";
import type { StandingOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { amount } from "@/design/format";
import { ListView } from "@/design/ListView";
import type { Column } from "@/design/Table";
import { useWide } from "@/design/width";
import { ProjectLink } from "@/projects/ProjectName";
import { useProjectNames } from "@/projects/projects";
import { LimitStanding } from "./LimitStanding";
import { scopeWords, title, useStandings, WINDOWS, type Kind, type Limit } from "./limits";

function columns(withProject: boolean, names: ReadonlyMap<string, string>, standings: Record<string, StandingOut> | undefined): Column<Limit>[] {
  return [
    {
      key: "name",
      head: "Name",
      text: title,
      cell: (limit) => (
        <div className="min-w-0 py-1.5">
          <div className="font-medium">{title(limit)}</div>
          {Object.keys(limit.scope).length > 0 && <div className="text-xs text-ink-3">{scopeWords(limit.scope).join(", ")}</div>}
        </div>
      ),
    },
    { key: "standing", head: "Used", width: "w-44 sm:w-72", cell: (limit) => <LimitStanding limit={limit} standing={standings?.[limit.id]} /> },
    { key: "scope", head: "Only of", from: "never", text: (limit) => scopeWords(limit.scope).join(", "), cell: () => null },
    ...(withProject ? [{ key: "project", head: "Project", from: "md" as const, text: (limit: Limit) => limit.projectId, cell: (limit: Limit) => <ProjectLink id={limit.projectId} names={names} /> }] : []),
    {
      key: "limit",
      head: "Limit",
      numeric: true,
      text: (limit) => limit.limit,
      from: "md",
      cell: (limit) => (
        <>
          {limit.limit === null ? "None" : amount(limit.unit, limit.limit)}
          {limit.unit !== "concurrent" && <span className="text-ink-3"> / {WINDOWS.find(([id]) => id === limit.window)![1].toLowerCase()}</span>}
        </>
      ),
    },
    { key: "unit", head: "Unit", from: "never", text: (limit) => limit.unit, cell: () => null },
    { key: "window", head: "Window", from: "never", text: (limit) => limit.window, cell: () => null },
    { key: "action", head: "At the limit", from: "lg", text: (limit) => (limit.blocks ? "blocks" : "alerts"), cell: (limit) => (limit.blocks ? <Badge>Blocks calls</Badge> : <Badge tone="accent">Alerts only</Badge>) },
  ];
}

type Props = { label: string; kind: Kind; list: Listed<Limit>; withProject: boolean; onOpen: (limit: Limit) => void; empty: ReactNode };

export function LimitTable({ label, kind, list, withProject, onOpen, empty }: Props) {
  const names = useProjectNames(useWide("md") && withProject);
  const standings = useStandings(kind, list.rows);
  const shown = useMemo(() => columns(withProject, names, standings), [withProject, names, standings]);
  return <ListView label={label} list={list} columns={shown} rowKey={(limit) => limit.id} onOpen={onOpen} empty={empty} />;
}
