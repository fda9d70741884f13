import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { TokenMade } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { SecretOnce } from "@/keys/SecretOnce";
import { ROLES } from "./members";
import { RoleSelect } from "./RoleSelect";
import type { Role } from "./session";

export const TOKENS = "/v1/tokens";
const DAY_MS = 86_400_000;
const LIVES = [["90", "In 90 days"], ["365", "In a year"], ["", "Never"]] as const;

export function CreateToken({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const [days, setDays] = useState("90");
  const [made, setMade] = useState<TokenMade | null>(null);
  const create = $api.useMutation("post", "/v1/tokens", {
    onSuccess: async (token) => {
      await refresh(TOKENS);
      setMade(token);
    },
  });
  if (made) return <SecretOnce title={`The token ${made.name}`} secret={made.secret} onClose={onClose}>Programs send it as <code className="font-mono text-xs">Authorization: Bearer …</code></SecretOnce>;
  return (
    <Dialog open onClose={onClose} title="New service token">
      <form onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { name, role, expires_at_ms: days ? Date.now() + Number(days) * DAY_MS : null } }); }}>
        <div className="flex flex-col gap-4">
          <Field label="Name" error={fieldError(create.error, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} autoFocus placeholder="Terraform" /></Field>
          <Field label="Role" hint={ROLES.find(([id]) => id === role)?.[1]}><RoleSelect value={role} onChange={setRole} /></Field>
          <Field label="Expires"><Select value={days} onChange={(event) => setDays(event.target.value)}>{LIVES.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          <ProblemNote problem={create.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>Create token</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
