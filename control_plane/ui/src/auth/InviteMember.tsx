import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { INVITATIONS, ROLES } from "./members";
import { RoleSelect } from "./RoleSelect";
import type { Role } from "./session";

export function InviteMember({ onClose }: { onClose: () => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const invite = $api.useMutation("post", "/v1/invitations", {
    onSuccess: async () => {
      toast(`${email} is invited`);
      onClose();
      await refresh(INVITATIONS);
    },
  });
  return (
    <Dialog open onClose={onClose} title="Invite somebody" description="A link is mailed to them; it signs them in.">
      <form onSubmit={(event) => { event.preventDefault(); invite.mutate({ body: { email, role } }); }}>
        <div className="flex flex-col gap-4">
          <Field label="E-mail address" error={fieldError(invite.error, "email")}><Input type="email" value={email} onChange={(event) => setEmail(event.target.value)} required autoFocus placeholder="ada@example.com" /></Field>
          <Field label="Role" hint={ROLES.find(([id]) => id === role)?.[1]}><RoleSelect value={role} onChange={setRole} /></Field>
          <ProblemNote problem={invite.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={invite.isPending}>Invite</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
