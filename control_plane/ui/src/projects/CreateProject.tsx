import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input } from "@/design/Field";
import { PROJECTS } from "./projects";

export function CreateProject({ onClose }: { onClose: () => void }) {
  const [name, setName] = useState("");
  const navigate = useNavigate();
  const create = $api.useMutation("post", "/v1/projects", {
    onSuccess: async (project) => {
      await refresh(PROJECTS);
      await navigate({ to: "/projects/$projectId", params: { projectId: project.id } });
    },
  });
  return (
    <Dialog open onClose={onClose} title="New project" description="Keys, budgets and costs belong to a project: a product, a team, an environment.">
      <form onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { name } }); }}>
        <Field label="Name" error={fieldError(create.error, "name")}>
          <Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} autoFocus placeholder="Checkout" />
        </Field>
        {create.error && !fieldError(create.error, "name") && <div className="mt-4"><ProblemNote problem={create.error} /></div>}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>Create project</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
