import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { Field, Input } from "@/design/Field";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { PROJECTS, useProjects } from "@/projects/projects";

export function ProjectStep({ onChosen }: { onChosen: (id: string) => void }) {
  const projects = useProjects();
  const mayCreate = useMay("projects:write");
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState("");
  const create = $api.useMutation("post", "/v1/projects", {
    onSuccess: async (project) => {
      await refresh(PROJECTS);
      onChosen(project.id);
    },
  });
  return (
    <div className="flex flex-col gap-4">
      {mayCreate && (
        <Card title="Start a project" hint="What its keys spend is counted and limited together.">
          <form className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { name } }); }}>
            <Field label="Name" error={fieldError(create.error, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} autoFocus placeholder="Checkout" /></Field>
            {create.error && <ProblemNote problem={create.error} />}
            <div><Button type="submit" look="primary" busy={create.isPending}>Create and go on</Button></div>
          </form>
        </Card>
      )}
      {projects && projects.length > 0 && (
        <Card title="Or take one that is there">
          <div className="flex gap-2">
            <div className="max-w-xs flex-1"><ProjectSelect label="Project" value={chosen} onChange={setChosen} /></div>
            <Button disabled={!chosen} onClick={() => onChosen(chosen)}>Go on</Button>
          </div>
        </Card>
      )}
    </div>
  );
}
