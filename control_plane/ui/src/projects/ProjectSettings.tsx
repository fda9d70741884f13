import { useState } from "react";
import { $api, api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { ProjectOut } from "@/api/schema";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { Confirm } from "@/design/Confirm";
import { CopyButton } from "@/design/Copy";
import { Facts } from "@/design/Facts";
import { Field, Input } from "@/design/Field";
import { day } from "@/design/format";
import { toast } from "@/design/Toasts";
import { PROJECTS } from "./projects";

export function ProjectSettings({ project }: { project: ProjectOut }) {
  const mayWrite = useMay("projects:write");
  const isActive = project.archived_at_ms === null;
  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Card title="About">
        <Facts
          facts={[
            ["Id", <span key="id" className="flex items-center gap-1"><code className="font-mono text-xs">{project.id}</code><CopyButton text={project.id} label="Copy the id" /></span>],
            ["Created", day(project.created_at_ms)],
            ["Made by", <code key="owner" className="font-mono text-xs">{project.owner_id}</code>],
          ]}
        />
      </Card>
      {mayWrite && isActive && <Rename project={project} />}
      {mayWrite && isActive && <Archive project={project} />}
    </div>
  );
}

function Rename({ project }: { project: ProjectOut }) {
  const [name, setName] = useState(project.name);
  const rename = $api.useMutation("patch", "/v1/projects/{project_id}", {
    onSuccess: () => {
      toast("Project renamed");
      return refresh(PROJECTS);
    },
  });
  return (
    <Card title="Name">
      <form className="flex flex-col gap-3" onSubmit={(event) => { event.preventDefault(); rename.mutate({ params: { path: { project_id: project.id } }, body: { name } }); }}>
        <Field label="Project name" error={fieldError(rename.error, "name")}>
          <Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} />
        </Field>
        {rename.error && <ProblemNote problem={rename.error} />}
        <div><Button type="submit" busy={rename.isPending} disabled={name === project.name}>Rename</Button></div>
      </form>
    </Card>
  );
}

function Archive({ project }: { project: ProjectOut }) {
  const [asking, setAsking] = useState(false);
  async function archive() {
    await api.DELETE("/v1/projects/{project_id}", { params: { path: { project_id: project.id } } });
    toast(`${project.name} is archived`);
    await refresh(PROJECTS, "/v1/keys");
  }
  return (
    <Card title="Archive">
      <p className="mb-3 text-ink-2">Its keys stop working at once, everywhere. What it has cost stays on record.</p>
      <Button look="danger" onClick={() => setAsking(true)}>Archive project</Button>
      {asking && (
        <Confirm title={`Archive ${project.name}?`} action="Archive project" type={project.name} onConfirm={archive} onClose={() => setAsking(false)}>
          Every key of this project is refused from now on. This cannot be taken back.
        </Confirm>
      )}
    </Card>
  );
}
