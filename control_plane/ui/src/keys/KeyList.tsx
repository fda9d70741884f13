import { KeyRound, Plus } from "lucide-react";
import { useMemo, useState } from "react";
import type { KeyOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { useWide } from "@/design/width";
import { ProjectLink } from "@/projects/ProjectName";
import { useProjectNames } from "@/projects/projects";
import { CreateKey } from "./CreateKey";
import { KeyDetails } from "./KeyDetails";
import { KeyMenu } from "./KeyMenu";
import { keyState, useKeyList } from "./keys";

function State({ of }: { of: KeyOut }) {
  const [word, tone] = keyState(of, Date.now());
  return <Badge tone={tone} dot>{word}</Badge>;
}

function columns(withProject: boolean, names: ReadonlyMap<string, string>, mayWrite: boolean): Column<KeyOut>[] {
  return [
    {
      key: "name",
      head: "Name",
      text: (key) => key.name,
      cell: (key) => (
        <div className="min-w-0 py-1.5">
          <div className="truncate font-medium">{key.name}</div>
          <code className="font-mono text-xs text-ink-3">{key.prefix}…</code>
        </div>
      ),
    },
    { key: "id", head: "Id", from: "never", text: (key) => key.id, cell: () => null },
    ...(withProject ? [{ key: "project", head: "Project", from: "md" as const, text: (key: KeyOut) => key.project_id, cell: (key: KeyOut) => <ProjectLink id={key.project_id} names={names} /> }] : []),
    { key: "state", head: "State", text: (key) => keyState(key, Date.now())[0], cell: (key) => <State of={key} /> },
    { key: "mode", head: "Mode", from: "lg", text: (key) => key.mode, cell: (key) => <span className="capitalize text-ink-2">{key.mode}</span> },
    { key: "team", head: "Team", from: "lg", text: (key) => key.team, cell: (key) => key.team || <span className="text-ink-3">–</span> },
    { key: "used", head: "Last used", numeric: true, from: "sm", text: (key) => written(key.used_at_s && key.used_at_s * 1000), cell: (key) => <span className="text-ink-2"><Time ms={key.used_at_s && key.used_at_s * 1000} /></span> },
    ...(mayWrite ? [{ key: "menu", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (key: KeyOut) => <RowActions><KeyMenu of={key} /></RowActions> }] : []),
  ];
}

type Props = { projectId?: string; revoked?: boolean; open: string | undefined; onOpen: (id: string | undefined) => void; creating?: boolean; onCreating?: (creating: boolean) => void };

/** The keys of one project, or of all; makes new ones. */
export function KeyList({ projectId, revoked = false, open, onOpen, creating, onCreating }: Props) {
  const [ownCreating, setOwnCreating] = useState(false);
  const mayWrite = useMay("keys:write");
  const withProject = useWide("md") && !projectId;
  const names = useProjectNames(withProject);
  const shown = useMemo(() => columns(!projectId, names, mayWrite), [projectId, names, mayWrite]);
  const list = useKeyList(projectId, revoked);
  const setCreating = onCreating ?? setOwnCreating;
  const button = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>New key</Button>;
  return (
    <>
      {!onCreating && list.rows && list.rows.length > 0 && <div className="mb-3 flex justify-end">{button}</div>}
      <ListView
        label="Keys"
        list={list}
        columns={shown}
        rowKey={(key) => key.id}
        onOpen={(key) => onOpen(key.id)}
        empty={<EmptyState icon={<KeyRound size={18} />} title="No keys yet" action={button}>An application sends its key instead of the provider's. What it spends is counted, and can be limited and stopped.</EmptyState>}
      />
      {open && <KeyDetails id={open} onClose={() => onOpen(undefined)} />}
      {(creating ?? ownCreating) && mayWrite && <CreateKey projectId={projectId} onClose={() => setCreating(false)} />}
    </>
  );
}
