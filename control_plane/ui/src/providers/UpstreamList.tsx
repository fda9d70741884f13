import { Ellipsis, Pencil, Plus, Trash2, Waypoints } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { UpstreamOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Badge } from "@/design/Badge";
import { Button, IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { count } from "@/design/format";
import { ListView } from "@/design/ListView";
import { Menu, MenuItem, MenuLine } from "@/design/Menu";
import { RowActions, type Column } from "@/design/Table";
import { toast } from "@/design/Toasts";
import { ListIntro } from "./ListIntro";
import { providerName, UPSTREAMS, useCredentials, useUpstreams } from "./providers";
import { UpstreamForm } from "./UpstreamForm";

type Asking = { what: "edit" | "delete"; upstream: UpstreamOut } | { what: "create" } | null;

export function UpstreamList() {
  const [asking, setAsking] = useState<Asking>(null);
  const mayWrite = useMay("providers:write");
  const list = useUpstreams();
  const credentials = useCredentials().rows ?? [];
  const close = () => setAsking(null);
  const add = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => setAsking({ what: "create" })}>Add an upstream</Button>;
  async function remove(upstream: UpstreamOut) {
    await api.DELETE("/v1/upstreams/{upstream_id}", { params: { path: { upstream_id: upstream.id } } });
    toast(`${upstream.name} is deleted`);
    await refresh(UPSTREAMS);
  }
  const columns: Column<UpstreamOut>[] = [
    { key: "name", head: "Calls under", text: (upstream) => upstream.name, cell: (upstream) => <code className="font-mono text-xs font-medium">/{upstream.name}/…</code> },
    { key: "provider", head: "Provider", from: "sm", text: (upstream) => upstream.provider, cell: (upstream) => providerName(upstream.provider) },
    { key: "origin", head: "Go to", text: (upstream) => `${upstream.origin}${upstream.base_path}`, cell: (upstream) => <span className="break-all text-ink-2">{upstream.origin}{upstream.base_path}</span> },
    { key: "credential", head: "Credential", from: "md", cell: (upstream) => (upstream.credential_id ? (credentials.find((one) => one.id === upstream.credential_id)?.name ?? "…") : <Badge>The caller's own</Badge>) },
    { key: "models", head: "Mapped models", numeric: true, from: "lg", text: (upstream) => Object.keys(upstream.models).length, cell: (upstream) => count(Object.keys(upstream.models).length) },
    ...(mayWrite
      ? [{ key: "menu", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (upstream: UpstreamOut) => (
          <RowActions>
            <Menu trigger={<IconButton label={`Actions for ${upstream.name}`} className="size-7"><Ellipsis size={16} /></IconButton>}>
              <MenuItem icon={<Pencil size={15} />} onSelect={() => setAsking({ what: "edit", upstream })}>Change</MenuItem>
              <MenuLine />
              <MenuItem icon={<Trash2 size={15} />} danger onSelect={() => setAsking({ what: "delete", upstream })}>Delete</MenuItem>
            </Menu>
          </RowActions>
        ) }]
      : []),
  ];
  return (
    <>
      <ListIntro action={list.rows && list.rows.length > 0 && add}>
        <p>The first part of a call's address names its upstream.</p>
        <p>Those of the gateway's own file serve beside these.</p>
      </ListIntro>
      <ListView label="Upstreams" list={list} columns={columns} rowKey={(upstream) => upstream.id} empty={<EmptyState icon={<Waypoints size={18} />} title="No upstreams of your own" action={add}>Add where calls go: a provider, an Azure resource, a server of your own.</EmptyState>} />
      {asking?.what === "create" && <UpstreamForm onClose={close} />}
      {asking?.what === "edit" && <UpstreamForm upstream={asking.upstream} onClose={close} />}
      {asking?.what === "delete" && <Confirm title={`Delete ${asking.upstream.name}?`} action="Delete upstream" type={asking.upstream.name} onConfirm={() => remove(asking.upstream)} onClose={close}>Calls under /{asking.upstream.name}/ are refused, unless the gateways' own file names such an upstream.</Confirm>}
    </>
  );
}
