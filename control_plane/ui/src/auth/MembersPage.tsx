import { getRouteApi } from "@tanstack/react-router";
import { UserPlus } from "lucide-react";
import { useState } from "react";
import { HEADINGS } from "@/app/headings";
import { Button } from "@/design/Button";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { Tabs } from "@/design/Tabs";
import { InvitationList } from "./InvitationList";
import { InviteMember } from "./InviteMember";
import { MemberList } from "./MemberList";
import { useMay } from "./session";

const route = getRouteApi("/shell/members");
const TABS = [["members", "Members"], ["invitations", "Invitations"]] as const;

export function MembersPage() {
  const { tab = "members" } = route.useSearch();
  const navigate = route.useNavigate();
  const [inviting, setInviting] = useState(false);
  const mayWrite = useMay("members:write");
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/members"]} actions={mayWrite && <Button look="primary" icon={<UserPlus size={15} />} onClick={() => setInviting(true)}>Invite</Button>} />
      <Tabs label="About members" value={tab} tabs={TABS} onChange={(next) => void navigate({ search: { tab: next === "invitations" ? next : undefined } })}>
        {tab === "members" ? <MemberList /> : <InvitationList />}
      </Tabs>
      {inviting && <InviteMember onClose={() => setInviting(false)} />}
    </Gradually>
  );
}
