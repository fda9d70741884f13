import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import type { KeyWithSecret } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field } from "@/design/Field";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { EMPTY_KEY, written } from "./draft";
import { KeyFields } from "./KeyFields";
import { KEYS } from "./keys";
import { SecretOnce } from "./SecretOnce";

export function CreateKey({ projectId, onClose }: { projectId?: string; onClose: () => void }) {
  const [made, setMade] = useState<KeyWithSecret | null>(null);
  if (made) {
    return (
      <SecretOnce title={`The key ${made.name}`} secret={made.secret} onClose={onClose}>
        Applications send it where they sent the provider's key. It works at every gateway within a second.
      </SecretOnce>
    );
  }
  return <Form projectId={projectId} onClose={onClose} onMade={setMade} />;
}

function Form({ projectId, onClose, onMade }: { projectId?: string; onClose: () => void; onMade: (key: KeyWithSecret) => void }) {
  const [project, setProject] = useState(projectId ?? "");
  const [draft, setDraft] = useState(EMPTY_KEY);
  const create = $api.useMutation("post", "/v1/keys", {
    onSuccess: async (key) => {
      await refresh(KEYS);
      onMade(key);
    },
  });
  return (
    <Dialog open onClose={onClose} title="New key">
      <form onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { ...written(draft, Date.now() / 1000), project_id: project } }); }}>
        <div className="flex flex-col gap-4">
          {!projectId && <Field label="Project"><ProjectSelect value={project} onChange={setProject} required /></Field>}
          <KeyFields draft={draft} onChange={setDraft} problem={create.error} />
          <ProblemNote problem={create.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>Create key</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
