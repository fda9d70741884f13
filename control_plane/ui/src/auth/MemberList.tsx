import { UserMinus, Users } from "lucide-react";
import { useState } from "react";
import { api, refresh } from "@/api/client";
import { explain } from "@/api/problem";
import type { MemberOut } from "@/api/schema";
import { Badge } from "@/design/Badge";
import { IconButton } from "@/design/Button";
import { Confirm } from "@/design/Confirm";
import { EmptyState } from "@/design/EmptyState";
import { written } from "@/design/format";
import { ListView } from "@/design/ListView";
import { RowActions, type Column } from "@/design/Table";
import { Time } from "@/design/Time";
import { toast } from "@/design/Toasts";
import { MEMBERS, useMembers } from "./members";
import { RoleSelect } from "./RoleSelect";
import { useMay, useSession, type Role } from "./session";

async function changeRole(member: MemberOut, role: Role) {
  try {
    await api.PATCH("/v1/members/{member_id}", { params: { path: { member_id: member.id } }, body: { role } });
    toast(`${member.email} is ${role} now`);
  } catch (problem) {
    toast(explain(problem));
  }
  await refresh(MEMBERS);
}

export function MemberList() {
  const [removing, setRemoving] = useState<MemberOut | null>(null);
  const mayWrite = useMay("members:write");
  const self = useSession().name;
  const columns: Column<MemberOut>[] = [
    {
      key: "who",
      head: "Person",
      text: (member) => member.email,
      cell: (member) => (
        <span className="flex flex-wrap items-center gap-x-2.5 sm:flex-nowrap">
          <span aria-hidden className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold uppercase text-accent-ink max-sm:hidden">{member.email[0]}</span>
          <span className="min-w-0 font-medium wrap-anywhere">{member.name || member.email}</span>
          {member.email === self && <Badge>You</Badge>}
        </span>
      ),
    },
    { key: "role", head: "Role", text: (member) => member.role, cell: (member) => (mayWrite && member.email !== self ? <div className="w-28 sm:w-32"><RoleSelect label={`Role of ${member.email}`} value={member.role} onChange={(role) => void changeRole(member, role)} /></div> : <span className="capitalize">{member.role}</span>) },
    { key: "since", head: "Member since", numeric: true, from: "sm", text: (member) => written(member.created_at_ms), cell: (member) => <span className="text-ink-2"><Time ms={member.created_at_ms} /></span> },
    ...(mayWrite ? [{ key: "remove", head: <span className="sr-only">Actions</span>, numeric: true, width: "w-12", cell: (member: MemberOut) => member.email !== self && <RowActions><IconButton label={`Remove ${member.email}`} className="size-7" onClick={() => setRemoving(member)}><UserMinus size={15} /></IconButton></RowActions> }] : []),
  ];
  async function remove(member: MemberOut) {
    await api.DELETE("/v1/members/{member_id}", { params: { path: { member_id: member.id } } });
    toast(`${member.email} is no member any more`);
    await refresh(MEMBERS);
  }
  return (
    <>
      <ListView label="Members" list={useMembers()} columns={columns} rowKey={(member) => member.id} empty={<EmptyState icon={<Users size={18} />} title="No members" />} />
      {removing && <Confirm title={`Remove ${removing.email}?`} action="Remove member" onConfirm={() => remove(removing)} onClose={() => setRemoving(null)}>Their sessions here end at once. Keys that they made go on working.</Confirm>}
    </>
  );
}
