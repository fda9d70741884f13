import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { ProblemState } from "@/api/ProblemState";
import type { OrganizationOut } from "@/api/schema";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { CopyButton } from "@/design/Copy";
import { Facts } from "@/design/Facts";
import { Field, Input } from "@/design/Field";
import { day } from "@/design/format";
import { Skeleton } from "@/design/Skeleton";
import { toast } from "@/design/Toasts";
import { ROLES } from "./members";
import { useMay, useSession } from "./session";

export function OrganizationSettings() {
  const { data: organization, error } = $api.useQuery("get", "/v1/organization");
  const mayWrite = useMay("organization:write");
  const role = useSession().organization.role;
  if (error) return <ProblemState problem={error} />;
  if (!organization) return <Skeleton className="h-48 w-full rounded-lg" />;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Card title="About">
        <Facts
          facts={[
            ["Name", organization.name],
            ["Id", <span key="id" className="flex items-center gap-1"><code className="font-mono text-xs">{organization.id}</code><CopyButton text={organization.id} label="Copy the id" /></span>],
            ["Since", day(organization.created_at_ms)],
          ]}
        />
      </Card>
      <Card title="Your role here">
        <p><span className="font-medium capitalize">{role}</span><span className="text-ink-2">: {ROLES.find(([id]) => id === role)?.[1]}.</span></p>
      </Card>
      {mayWrite && <Rename organization={organization} />}
    </div>
  );
}

function Rename({ organization }: { organization: OrganizationOut }) {
  const [name, setName] = useState(organization.name);
  const rename = $api.useMutation("patch", "/v1/organization", {
    onSuccess: async () => {
      toast("Organization renamed");
      await refresh("/v1/organization", "/v1/session");
    },
  });
  return (
    <Card title="Rename">
      <form className="flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); rename.mutate({ body: { name } }); }}>
        <Field label="Organization name" error={fieldError(rename.error, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} /></Field>
        <ProblemNote problem={rename.error} />
        <div><Button type="submit" busy={rename.isPending} disabled={name === organization.name}>Rename</Button></div>
      </form>
    </Card>
  );
}
