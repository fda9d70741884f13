import { getRouteApi } from "@tanstack/react-router";
import { Download, ScrollText } from "lucide-react";
import type { AuditOut } from "@/api/schema";
import { api } from "@/api/client";
import { usePages } from "@/api/pages";
import { HEADINGS } from "@/app/headings";
import { Actor } from "@/auth/Actor";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { buttonClass } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { Gradually } from "@/design/Gradually";
import { ListView } from "@/design/ListView";
import { PageHeader } from "@/design/PageHeader";
import type { Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { AuditEntry } from "./AuditEntry";
import { AuditFilters, toMs } from "./AuditFilters";
import { VerifyChain } from "./VerifyChain";

const route = getRouteApi("/shell/audit");

const COLUMNS: Column<AuditOut>[] = [
  { key: "number", head: "#", text: (entry) => entry.number, cell: (entry) => <span className="text-ink-3">{entry.number}</span> },
  { key: "action", head: "Action", text: (entry) => entry.action, cell: (entry) => <Badge>{entry.action}</Badge> },
  { key: "subject", head: "Of", from: "md", text: (entry) => entry.subject, cell: (entry) => <code className="font-mono text-xs text-ink-2">{entry.subject}</code> },
  { key: "actor", head: "By", from: "lg", text: (entry) => entry.actor, cell: (entry) => <span className="text-ink-2"><Actor id={entry.actor} /></span> },
  { key: "at", head: "When", numeric: true, text: (entry) => written(entry.at_ms), cell: (entry) => <span className="text-ink-2"><Time ms={entry.at_ms} /></span> },
];

export function AuditPage() {
  const { open, ...filters } = route.useSearch();
  const navigate = route.useNavigate();
  const mayExport = useMay("audit:export");
  const query = { actor: filters.actor, action: filters.action, subject: filters.subject, from_ms: toMs(filters.from), to_ms: toMs(filters.to) };
  const list = usePages<AuditOut>(["get", "/v1/audit", query], async (cursor) => (await api.GET("/v1/audit", { params: { query: { ...query, cursor } } })).data!);
  const opened = list.rows?.find((entry) => entry.id === open);
  return (
    <Gradually>
      <PageHeader
        {...HEADINGS["/audit"]}
        actions={mayExport && <a href="/v1/audit/export" download className={buttonClass()}><Download size={14} aria-hidden />Export, signed</a>}
      />
      <VerifyChain />
      <AuditFilters filters={filters} onChange={(next) => void navigate({ search: next, replace: true })} />
      <ListView
        label="Audit log"
        list={list}
        columns={COLUMNS}
        rowKey={(entry) => entry.id}
        onOpen={(entry) => void navigate({ search: { ...filters, open: entry.id } })}
        empty={<EmptyState icon={<ScrollText size={18} />} title="No such entries">Nothing that happened here matches.</EmptyState>}
      />
      {opened && <AuditEntry entry={opened} onClose={() => void navigate({ search: filters })} onFilter={(filter) => void navigate({ search: filter })} />}
    </Gradually>
  );
}
