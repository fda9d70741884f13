import { Server } from "lucide-react";
import { $api } from "@/api/client";
import { ProblemState } from "@/api/ProblemState";
import type { GatewayOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { EmptyState } from "@/design/EmptyState";
import { count } from "@/design/format";
import { Table, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { gatewayState } from "./gatewayState";

const LIVE_MS = 3_000;

function State({ worker }: { worker: GatewayOut }) {
  const [word, tone] = gatewayState(worker, Date.now());
  return <Badge tone={tone} dot>{word}</Badge>;
}

const COLUMNS: Column<GatewayOut>[] = [
  { key: "node", head: "Worker", cell: (worker) => <code className="font-mono text-xs">{worker.node}</code> },
  { key: "state", head: "State", cell: (worker) => <State worker={worker} /> },
  { key: "inflight", head: "Calls under way", numeric: true, from: "sm", cell: (worker) => count(worker.inflight) },
  { key: "version", head: "Policy", numeric: true, from: "md", cell: (worker) => <span className="text-ink-2">{count(worker.policy_version)}</span> },
  { key: "ledger", head: "Counts", from: "md", cell: (worker) => <span className="text-ink-2">{worker.shared ? "With the others" : "By itself"}</span> },
  { key: "seen", head: "Seen", numeric: true, cell: (worker) => <span className="text-ink-2"><Time ms={worker.seen_at_ms} /></span> },
];

export function GatewayList() {
  const { data, error, refetch } = $api.useQuery("get", "/v1/gateways", {}, { refetchInterval: LIVE_MS });
  if (error) return <ProblemState problem={error} onRetry={() => void refetch()} />;
  return (
    <Table
      label="Gateways"
      columns={COLUMNS}
      rows={data?.items}
      rowKey={(worker) => worker.node}
      empty={
        <EmptyState icon={<Server size={18} />} title="No gateway has reported yet">
          Give one a token by <code className="font-mono text-xs">lensai control-plane gateway-token create NAME</code> and the address of this control plane.
        </EmptyState>
      }
    />
  );
}
