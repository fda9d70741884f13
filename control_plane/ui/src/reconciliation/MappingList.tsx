import { Signature, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { MappingOut } from "@/api/schema";
import { Actor } from "@/auth/Actor";
import { useMay } from "@/auth/session";
import { IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { providerName } from "@/providers/providers";
import { useMappings } from "./mappings";
import { RECONCILIATION } from "./sources";

/** What names on bills mean, as somebody wrote it down. */
export function MappingList() {
  const [removing, setRemoving] = useState<MappingOut | null>(null);
  const mayWrite = useMay("reconciliation:write");
  const list = useMappings();
  async function remove(mapping: MappingOut) {
    await api.DELETE("/v1/reconciliation/mappings/{mapping_id}", { params: { path: { mapping_id: mapping.id } } });
    toast(`${mapping.billed} is looked for by itself again`);
    await refresh(RECONCILIATION);
  }
  const columns: Column<MappingOut>[] = [
    { key: "billed", head: "On the bill", text: (one) => one.billed, cell: (one) => <div className="min-w-0 py-1.5"><div className="break-all font-medium">{one.billed}</div><div className="text-xs text-ink-3">{providerName(one.provider)}</div></div> },
    { key: "provider", head: "Provider", from: "never", text: (one) => one.provider, cell: () => null },
    { key: "model", head: "Means", text: (one) => one.model, cell: (one) => <span className="break-all">{one.model}</span> },
    { key: "by", head: "Written down by", from: "lg", text: (one) => one.created_by, cell: (one) => <span className="text-ink-2"><Actor id={one.created_by} /></span> },
    { key: "at", head: "When", from: "md", text: (one) => written(one.created_at_ms), cell: (one) => <span className="text-ink-2"><Time ms={one.created_at_ms} /></span> },
    ...(mayWrite ? [{ key: "remove", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (one: MappingOut) => <RowActions><IconButton label={`Forget what ${one.billed} means`} className="size-7" onClick={() => setRemoving(one)}><Trash2 size={15} /></IconButton></RowActions> }] : []),
  ];
  return (
    <>
      <ListView label="Names on bills" list={list} columns={columns} rowKey={(one) => one.id} empty={<EmptyState icon={<Signature size={18} />} title="No name was written down">Most names on bills are found by themselves. One that is not has “Which model?” beside it in the report.</EmptyState>} />
      {removing && <Confirm title="Forget this name?" action="Forget" onConfirm={() => remove(removing)} onClose={() => setRemoving(null)}>Reports look for {removing.billed} by itself again. If nothing is found, it stands alone.</Confirm>}
    </>
  );
}
