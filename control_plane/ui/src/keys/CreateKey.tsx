import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { KeyWithSecret } from "@/api/schema";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { KEYS } from "./keys";
import { SecretOnce } from "./SecretOnce";

const MODES = [
  ["metered", "Metered", "Streams that do not report their use are asked to."],
  ["transparent", "Transparent", "Not a byte of a request is changed."],
  ["guaranteed", "Guaranteed", "What cannot be metered or bounded is refused."],
] as const;
type Mode = (typeof MODES)[number][0];

const LIVES = [["", "Never"], ["30", "In 30 days"], ["90", "In 90 days"], ["365", "In a year"]] as const;

function listed(text: string): string[] | null {
  const names = text.split(",").map((name) => name.trim()).filter(Boolean);
  return names.length ? names : null;
}

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
  const [name, setName] = useState("");
  const [mode, setMode] = useState<Mode>("metered");
  const [days, setDays] = useState("");
  const [team, setTeam] = useState("");
  const [models, setModels] = useState("");
  const [upstreams, setUpstreams] = useState("");
  const create = $api.useMutation("post", "/v1/keys", {
    onSuccess: async (key) => {
      await refresh(KEYS);
      onMade(key);
    },
  });
  function submit() {
    const expires_at_s = days ? Math.floor(Date.now() / 1000) + Number(days) * 86_400 : null;
    create.mutate({ body: { project_id: project, name, mode, team, expires_at_s, models: listed(models), upstreams: listed(upstreams) } });
  }
  return (
    <Dialog open onClose={onClose} title="New key">
      <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <div className="flex flex-col gap-4">
          {!projectId && <Field label="Project"><ProjectSelect value={project} onChange={setProject} required /></Field>}
          <Field label="Name" error={fieldError(create.error, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} autoFocus placeholder="web backend" /></Field>
          <Field label="Mode" hint={MODES.find(([id]) => id === mode)?.[2]}>
            <Select value={mode} onChange={(event) => setMode(event.target.value as Mode)}>{MODES.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select>
          </Field>
          <div className="grid grid-cols-2 gap-3">
            <Field label="Expires"><Select value={days} onChange={(event) => setDays(event.target.value)}>{LIVES.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
            <Field label="Team" optional error={fieldError(create.error, "team")}><Input value={team} onChange={(event) => setTeam(event.target.value)} placeholder="payments" /></Field>
          </div>
          <details className="group">
            <summary className="w-fit font-medium text-ink-2 hover:text-ink">What it may be used for</summary>
            <div className="mt-3 flex flex-col gap-4">
              <Field label="Models" optional hint="With commas between; empty is every model." error={fieldError(create.error, "models")}><Input value={models} onChange={(event) => setModels(event.target.value)} placeholder="gpt-4o-mini, gpt-4o" /></Field>
              <Field label="Upstreams" optional hint="With commas between; empty is every upstream." error={fieldError(create.error, "upstreams")}><Input value={upstreams} onChange={(event) => setUpstreams(event.target.value)} placeholder="openai, anthropic" /></Field>
            </div>
          </details>
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
