import { MailPlus, Send, X } from "lucide-react";
import { api, refresh } from "@/api/client";
import type { InvitationOut } from "@/api/schema";
import { IconButton } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { INVITATIONS, useInvitations } from "./members";
import { useMay } from "./session";

async function resend(invitation: InvitationOut) {
  await api.POST("/v1/invitations/{invitation_id}/resend", { params: { path: { invitation_id: invitation.id } } });
  toast(`A new link is on its way to ${invitation.email}`);
  await refresh(INVITATIONS);
}

async function withdraw(invitation: InvitationOut) {
  await api.DELETE("/v1/invitations/{invitation_id}", { params: { path: { invitation_id: invitation.id } } });
  toast("The invitation is withdrawn");
  await refresh(INVITATIONS);
}

function columns(mayWrite: boolean): Column<InvitationOut>[] {
  return [
    { key: "email", head: "Invited", text: (invitation) => invitation.email, cell: (invitation) => <span className="font-medium">{invitation.email}</span> },
    { key: "role", head: "As", text: (invitation) => invitation.role, cell: (invitation) => <span className="capitalize">{invitation.role}</span> },
    { key: "until", head: "Link ends", numeric: true, from: "sm", text: (invitation) => written(invitation.expires_at_ms), cell: (invitation) => <span className="text-ink-2"><Time ms={invitation.expires_at_ms} /></span> },
    ...(mayWrite ? [{ key: "do", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-20", cell: (invitation: InvitationOut) => <RowActions><IconButton label={`Send the invitation of ${invitation.email} again`} className="size-7" onClick={() => void resend(invitation)}><Send size={14} /></IconButton><IconButton label={`Withdraw the invitation of ${invitation.email}`} className="size-7" onClick={() => void withdraw(invitation)}><X size={15} /></IconButton></RowActions> }] : []),
  ];
}

export function InvitationList() {
  return <ListView label="Invitations" list={useInvitations()} columns={columns(useMay("members:write"))} rowKey={(invitation) => invitation.id} empty={<EmptyState icon={<MailPlus size={18} />} title="Nobody is invited">Invitations that nobody has accepted yet are listed here.</EmptyState>} />;
}
