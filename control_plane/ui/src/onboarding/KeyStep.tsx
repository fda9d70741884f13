import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { KeyWithSecret } from "@/api/schema";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { CopyLine } from "@/design/Copy";
import { Field, Input } from "@/design/Field";
import { KEYS } from "@/keys/keys";

type Props = { projectId: string; made: KeyWithSecret | null; onMade: (key: KeyWithSecret) => void; onNext: () => void };

export function KeyStep({ projectId, made, onMade, onNext }: Props) {
  const [name, setName] = useState("first key");
  const create = $api.useMutation("post", "/v1/keys", {
    onSuccess: async (key) => {
      await refresh(KEYS);
      onMade(key);
    },
  });
  if (made) {
    return (
      <Card title="Your key" hint="It is shown now and never again: only its fingerprint is stored.">
        <div className="flex flex-col gap-4">
          <CopyLine text={made.secret} label="Copy the key" />
          <div><Button look="primary" onClick={onNext} autoFocus>I have copied it</Button></div>
        </div>
      </Card>
    );
  }
  return (
    <Card title="Make a key" hint="Applications show it to the gateway instead of the provider's.">
      <form className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { project_id: projectId, name } }); }}>
        <Field label="Name" error={fieldError(create.error, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} autoFocus /></Field>
        {create.error && <ProblemNote problem={create.error} />}
        <div><Button type="submit" look="primary" busy={create.isPending}>Make the key</Button></div>
      </form>
    </Card>
  );
}
