import { Ellipsis, LockKeyhole, Plus, RefreshCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { CredentialOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Button, IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { Menu, MenuItem, MenuLine } from "@/design/Menu";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { CredentialForm } from "./CredentialForm";
import { ListIntro } from "./ListIntro";
import { CREDENTIALS, providerName, useCredentials } from "./providers";

type Asking = { what: "rotate" | "delete"; credential: CredentialOut } | { what: "create" } | null;

export function CredentialList() {
  const [asking, setAsking] = useState<Asking>(null);
  const mayWrite = useMay("providers:write");
  const list = useCredentials();
  const close = () => setAsking(null);
  const add = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => setAsking({ what: "create" })}>Store a credential</Button>;
  async function remove(credential: CredentialOut) {
    await api.DELETE("/v1/credentials/{credential_id}", { params: { path: { credential_id: credential.id } } });
    toast(`${credential.name} is deleted`);
    await refresh(CREDENTIALS);
  }
  const columns: Column<CredentialOut>[] = [
    { key: "name", head: "Name", text: (credential) => credential.name, cell: (credential) => <span className="font-medium">{credential.name}</span> },
    { key: "provider", head: "Provider", text: (credential) => credential.provider, cell: (credential) => providerName(credential.provider) },
    { key: "hint", head: "Ends in", from: "sm", cell: (credential) => <code className="font-mono text-xs text-ink-2">{credential.hint ? `…${credential.hint}` : "–"}</code> },
    { key: "rotated", head: "Rotated", numeric: true, from: "md", text: (credential) => written(credential.rotated_at_ms), cell: (credential) => <span className="text-ink-2"><Time ms={credential.rotated_at_ms} /></span> },
    { key: "created", head: "Stored", numeric: true, from: "md", text: (credential) => written(credential.created_at_ms), cell: (credential) => <span className="text-ink-2"><Time ms={credential.created_at_ms} /></span> },
    ...(mayWrite
      ? [{ key: "menu", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (credential: CredentialOut) => (
          <RowActions>
            <Menu trigger={<IconButton label={`Actions for ${credential.name}`} className="size-7"><Ellipsis size={16} /></IconButton>}>
              <MenuItem icon={<RefreshCw size={15} />} onSelect={() => setAsking({ what: "rotate", credential })}>Put in another secret</MenuItem>
              <MenuLine />
              <MenuItem icon={<Trash2 size={15} />} danger onSelect={() => setAsking({ what: "delete", credential })}>Delete</MenuItem>
            </Menu>
          </RowActions>
        ) }]
      : []),
  ];
  return (
    <>
      <ListIntro action={list.rows && list.rows.length > 0 && add}>Providers' secrets, sealed. Gateways put them in the place of callers' keys; nobody reads them again.</ListIntro>
      <ListView label="Credentials" list={list} columns={columns} rowKey={(credential) => credential.id} empty={<EmptyState icon={<LockKeyhole size={18} />} title="No credentials yet" action={add}>Store a provider's key here, and no application needs to know it.</EmptyState>} />
      {asking?.what === "create" && <CredentialForm onClose={close} />}
      {asking?.what === "rotate" && <CredentialForm credential={asking.credential} onClose={close} />}
      {asking?.what === "delete" && <Confirm title={`Delete ${asking.credential.name}?`} action="Delete credential" onConfirm={() => remove(asking.credential)} onClose={close}>Only one that no upstream uses can be deleted.</Confirm>}
    </>
  );
}
