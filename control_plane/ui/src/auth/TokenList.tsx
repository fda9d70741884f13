import { Plus, Terminal, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import { usePages } from "@/api/pages";
import type { TokenOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { Button, IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { CreateToken, TOKENS } from "./CreateToken";
import { useMay } from "./session";

export function TokenList() {
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<TokenOut | null>(null);
  const mayWrite = useMay("tokens:write");
  const list = usePages<TokenOut>(["get", TOKENS], async (cursor) => (await api.GET("/v1/tokens", { params: { query: { cursor } } })).data!);
  const add = mayWrite && <Button look="primary" icon={<Plus size={15} />} onClick={() => setCreating(true)}>New token</Button>;
  const columns: Column<TokenOut>[] = [
    { key: "name", head: "Name", text: (token) => token.name, cell: (token) => <div className="py-1.5"><div className="font-medium">{token.name}</div><code className="font-mono text-xs text-ink-3">{token.prefix}…</code></div> },
    { key: "role", head: "Role", text: (token) => token.role, cell: (token) => <Badge><span className="capitalize">{token.role}</span></Badge> },
    { key: "used", head: "Last used", numeric: true, from: "sm", text: (token) => written(token.used_at_ms), cell: (token) => <span className="text-ink-2"><Time ms={token.used_at_ms} /></span> },
    { key: "expires", head: "Expires", numeric: true, from: "md", text: (token) => written(token.expires_at_ms), cell: (token) => <span className="text-ink-2"><Time ms={token.expires_at_ms} /></span> },
    ...(mayWrite ? [{ key: "revoke", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (token: TokenOut) => <RowActions><IconButton label={`Revoke ${token.name}`} className="size-7" onClick={() => setRevoking(token)}><Trash2 size={15} /></IconButton></RowActions> }] : []),
  ];
  async function revoke(token: TokenOut) {
    await api.DELETE("/v1/tokens/{token_id}", { params: { path: { token_id: token.id } } });
    toast(`${token.name} is revoked`);
    await refresh(TOKENS);
  }
  return (
    <>
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <p className="max-w-xl text-ink-2">What programs show this API. Applications that call models use keys, not tokens.</p>
        {list.rows && list.rows.length > 0 && add}
      </div>
      <ListView label="Service tokens" list={list} columns={columns} rowKey={(token) => token.id} empty={<EmptyState icon={<Terminal size={18} />} title="No service tokens" action={add}>A program that manages projects, keys or budgets uses one.</EmptyState>} />
      {creating && <CreateToken onClose={() => setCreating(false)} />}
      {revoking && <Confirm title={`Revoke ${revoking.name}?`} action="Revoke token" onConfirm={() => revoke(revoking)} onClose={() => setRevoking(null)}>Whatever uses it is nobody from now on.</Confirm>}
    </>
  );
}
