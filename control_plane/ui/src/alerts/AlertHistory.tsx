import { Inbox, RotateCw } from "lucide-react";
import { api, refresh } from "@/api/client";
import type { AlertOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { Segments } from "@/design/Segments";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { ALERTS, CHANNELS, eventWords, STATES, useAlerts, type State } from "./rules";

async function retry(alert: AlertOut) {
  await api.POST("/v1/alerts/{alert_id}/retry", { params: { path: { alert_id: alert.id } } });
  toast("It is sent again");
  await refresh(ALERTS);
}

function columns(mayWrite: boolean): Column<AlertOut>[] {
  return [
    {
      key: "what",
      head: "What happened",
      text: (alert) => eventWords(alert.event),
      cell: (alert) => (
        <div className="py-1.5">
          <div className="font-medium">{eventWords(alert.event)}</div>
          <div className="text-xs text-ink-3">
            {alert.event.project?.name ?? "The organization"}, {CHANNELS[alert.channel]}
            {alert.last_error && <span className="text-bad"> · {alert.last_error}</span>}
          </div>
        </div>
      ),
    },
    { key: "state", head: "State", text: (alert) => alert.state, cell: (alert) => <Badge tone={STATES[alert.state][1]} dot>{STATES[alert.state][0]}</Badge> },
    { key: "attempts", head: "Attempts", numeric: true, from: "md", text: (alert) => alert.attempts, cell: (alert) => alert.attempts },
    { key: "at", head: "When", numeric: true, from: "sm", text: (alert) => written(alert.event.at_ms), cell: (alert) => <span className="text-ink-2"><Time ms={alert.event.at_ms} /></span> },
    ...(mayWrite
      ? [{ key: "retry", head: <span className="sr-only">Actions</span>, numeric: true, cell: (alert: AlertOut) => alert.state === "dead" && <RowActions><Button small icon={<RotateCw size={13} />} onClick={() => void retry(alert)}>Send again</Button></RowActions> }]
      : []),
  ];
}

const FILTERS: readonly (readonly [State | "all", string])[] = [["all", "All"], ["sent", "Sent"], ["due", "Due"], ["dead", "Given up"]];

export function AlertHistory({ state, onState }: { state: State | undefined; onState: (state: State | undefined) => void }) {
  const mayWrite = useMay("alerts:write");
  return (
    <>
      <div className="mb-3"><Segments label="Which alerts" value={state ?? "all"} options={FILTERS} onChange={(next) => onState(next === "all" ? undefined : next)} /></div>
      <ListView label="Alerts" list={useAlerts(state)} columns={columns(mayWrite)} rowKey={(alert) => alert.id} empty={<EmptyState icon={<Inbox size={18} />} title="No messages">Every alert that was sent, is due or was given up is listed here.</EmptyState>} />
    </>
  );
}
