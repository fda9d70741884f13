import type { ReactNode } from "react";
import type { Listed } from "@/api/pages";
import { Badge } from "@/design/Badge";
import { amount } from "@/design/format";
import { ListView } from "@/design/ListView";
import type { Column } from "@/design/Table";
import { ProjectName } from "@/projects/ProjectName";
import { LimitStanding } from "./LimitStanding";
import { scopeWords, title, WINDOWS, type Limit } from "./limits";

function columns(withProject: boolean, among: number): Column<Limit>[] {
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
    { key: "standing", head: "Used", width: "w-44 sm:w-72", cell: (limit) => <LimitStanding limit={limit} among={among} /> },
    { key: "scope", head: "Only of", from: "never", text: (limit) => scopeWords(limit.scope).join(", "), cell: () => null },
    ...(withProject ? [{ key: "project", head: "Project", from: "md" as const, text: (limit: Limit) => limit.projectId, cell: (limit: Limit) => <ProjectName id={limit.projectId} /> }] : []),
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

type Props = { label: string; list: Listed<Limit>; withProject: boolean; onOpen: (limit: Limit) => void; empty: ReactNode };

export function LimitTable({ label, list, withProject, onOpen, empty }: Props) {
  return <ListView label={label} list={list} columns={columns(withProject, list.rows?.length ?? 1)} rowKey={(limit) => limit.id} onOpen={onOpen} empty={empty} />;
}
