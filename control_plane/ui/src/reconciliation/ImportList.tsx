import { FileUp, Trash2 } from "lucide-react";
import { useState, type ReactNode } from "react";
import { api, refresh } from "@/api/client";
import type { ImportOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { count, dollars, written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { RECONCILIATION, sourceName, useImports } from "./sources";

/** What was imported, and can be forgotten. */
export function ImportList({ add }: { add: ReactNode }) {
  const [removing, setRemoving] = useState<ImportOut | null>(null);
  const mayWrite = useMay("reconciliation:write");
  const columns: Column<ImportOut>[] = [
    { key: "source", head: "Export", text: (one) => one.source, cell: (one) => <div className="py-1.5"><div className="font-medium">{sourceName(one.source)}</div><div className="text-xs text-ink-3">{one.from_day} to {one.to_day}</div></div> },
    { key: "from", head: "From", from: "never", text: (one) => one.from_day, cell: () => null },
    { key: "to", head: "Until", from: "never", text: (one) => one.to_day, cell: () => null },
    { key: "origin", head: "By", from: "sm", text: (one) => one.origin, cell: (one) => <Badge>{one.origin === "api" ? "Fetched" : "File"}</Badge> },
    { key: "lines", head: "Lines", numeric: true, from: "md", text: (one) => one.line_count, cell: (one) => count(one.line_count) },
    { key: "cost", head: "Cost", numeric: true, text: (one) => one.cost_usd, cell: (one) => dollars(one.cost_usd) },
    { key: "sha256", head: "SHA-256", from: "lg", text: (one) => one.sha256, cell: (one) => <code className="font-mono text-xs text-ink-3" title={one.sha256}>{one.sha256.slice(0, 12)}…</code> },
    { key: "at", head: "Imported", numeric: true, from: "sm", text: (one) => written(one.created_at_ms), cell: (one) => <span className="text-ink-2"><Time ms={one.created_at_ms} /></span> },
    ...(mayWrite ? [{ key: "remove", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (one: ImportOut) => <RowActions><IconButton label={`Forget ${sourceName(one.source)} of ${one.from_day}`} className="size-7" onClick={() => setRemoving(one)}><Trash2 size={15} /></IconButton></RowActions> }] : []),
  ];
  async function remove(one: ImportOut) {
    await api.DELETE("/v1/reconciliation/imports/{import_id}", { params: { path: { import_id: one.id } } });
    toast("The import is forgotten");
    await refresh(RECONCILIATION);
  }
  return (
    <>
      <ListView label="Imports" list={useImports()} columns={columns} rowKey={(one) => one.id} empty={<EmptyState icon={<FileUp size={18} />} title="No account was imported yet" action={add}>A provider's own account of the same days shows whether anything went past the gateway, and whether the prices are right.</EmptyState>} />
      {removing && <Confirm title={`Forget ${sourceName(removing.source)}?`} action="Forget it" onConfirm={() => remove(removing)} onClose={() => setRemoving(null)}>Its days, {removing.from_day} to {removing.to_day}, are compared no more until they are imported again.</Confirm>}
    </>
  );
}
