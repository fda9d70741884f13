import { Ellipsis, Pencil, Power, RefreshCw, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import type { KeyOut } from "@/api/schema";
import { IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { Menu, MenuItem, MenuLine } from "@/design/Menu";
import { toast } from "@/design/Toasts";
import { EditKey } from "./EditKey";
import { KEYS } from "./keys";
import { RotateKey } from "./RotateKey";

type Asking = "edit" | "rotate" | "revoke" | null;

export function KeyMenu({ of: key }: { of: KeyOut }) {
  const [asking, setAsking] = useState<Asking>(null);
  const params = { path: { key_id: key.id } };
  if (key.revoked_at_ms !== null) return null;
  async function toggle() {
    await api.PATCH("/v1/keys/{key_id}", { params, body: { disabled: !key.disabled } });
    toast(key.disabled ? `${key.name} works again` : `${key.name} is switched off`);
    await refresh(KEYS);
  }
  async function revoke() {
    await api.DELETE("/v1/keys/{key_id}", { params });
    toast(`${key.name} is revoked`);
    await refresh(KEYS);
  }
  return (
    <>
      <Menu trigger={<IconButton label={`Actions for ${key.name}`} className="size-7"><Ellipsis size={16} /></IconButton>}>
        <MenuItem icon={<Pencil size={15} />} onSelect={() => setAsking("edit")}>Change</MenuItem>
        <MenuItem icon={<RefreshCw size={15} />} onSelect={() => setAsking("rotate")} disabled={key.replaced_by !== null}>Rotate</MenuItem>
        <MenuItem icon={<Power size={15} />} onSelect={() => void toggle()}>{key.disabled ? "Switch on" : "Switch off"}</MenuItem>
        <MenuLine />
        <MenuItem icon={<Trash2 size={15} />} danger onSelect={() => setAsking("revoke")}>Revoke</MenuItem>
      </Menu>
      {asking === "edit" && <EditKey of={key} onClose={() => setAsking(null)} />}
      {asking === "rotate" && <RotateKey of={key} onClose={() => setAsking(null)} />}
      {asking === "revoke" && (
        <Confirm title={`Revoke ${key.name}?`} action="Revoke key" type={key.name} onConfirm={revoke} onClose={() => setAsking(null)}>
          Whoever uses it is refused from now on, at every gateway. This cannot be taken back.
        </Confirm>
      )}
    </>
  );
}
