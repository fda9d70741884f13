import { MonitorSmartphone } from "lucide-react";
import { api, refresh } from "@/api/client";
import { usePages } from "@/api/pages";
import type { BrowserSessionOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { browserName } from "./browserName";

const SESSIONS = "/v1/sessions";

async function end(session: BrowserSessionOut) {
  await api.DELETE("/v1/sessions/{session_id}", { params: { path: { session_id: session.id } } });
  toast("That browser is signed out");
  await refresh(SESSIONS);
}

async function endOthers() {
  await api.DELETE("/v1/sessions");
  toast("All your other browsers are signed out");
  await refresh(SESSIONS);
}

const COLUMNS: Column<BrowserSessionOut>[] = [
  { key: "browser", head: "Browser", text: (session) => session.user_agent, cell: (session) => <span className="flex items-center gap-2"><span className="font-medium" title={session.user_agent}>{browserName(session.user_agent)}</span>{session.current && <Badge tone="good">This one</Badge>}</span> },
  { key: "seen", head: "Last seen", numeric: true, from: "sm", text: (session) => written(session.seen_at_ms), cell: (session) => <span className="text-ink-2"><Time ms={session.seen_at_ms} /></span> },
  { key: "since", head: "Signed in", numeric: true, from: "md", text: (session) => written(session.created_at_ms), cell: (session) => <span className="text-ink-2"><Time ms={session.created_at_ms} /></span> },
  { key: "end", head: <span className="sr-only">Actions</span>, numeric: true, cell: (session) => !session.current && <RowActions><Button small onClick={() => void end(session)}>Sign out</Button></RowActions> },
];

export function SessionList() {
  const list = usePages<BrowserSessionOut>(["get", SESSIONS], async (cursor) => (await api.GET("/v1/sessions", { params: { query: { cursor } } })).data!);
  return (
    <>
      {list.rows && list.rows.length > 1 && <div className="mb-3 flex justify-end"><Button onClick={() => void endOthers()}>Sign out all others</Button></div>}
      <ListView label="Browsers" list={list} columns={COLUMNS} rowKey={(session) => session.id} empty={<EmptyState icon={<MonitorSmartphone size={18} />} title="No browsers" />} />
    </>
  );
}
