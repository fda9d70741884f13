import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { AlertRuleMade } from "@/api/schema";
import { percents } from "@/budgets/percents";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { SecretOnce } from "@/keys/SecretOnce";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { RULES, TRIGGERS, type Trigger } from "./rules";
import { EMPTY_TARGET, TargetFields, toTarget } from "./TargetFields";

export function RuleForm({ projectId = "", onClose }: { projectId?: string; onClose: () => void }) {
  const [made, setMade] = useState<AlertRuleMade | null>(null);
  const [name, setName] = useState("");
  const [trigger, setTrigger] = useState<Trigger>("threshold");
  const [project, setProject] = useState(projectId);
  const [thresholds, setThresholds] = useState("");
  const [factor, setFactor] = useState("3");
  const [floor, setFloor] = useState("1.00");
  const [target, setTarget] = useState(EMPTY_TARGET);
  const create = $api.useMutation("post", "/v1/alert-rules", {
    onSuccess: async (rule) => {
      await refresh(RULES);
      if (rule.signing_secret) return setMade(rule);
      toast("The rule is on; send a test from its menu");
      onClose();
    },
  });
  if (made?.signing_secret) return <SecretOnce title={`Signing secret of ${made.name}`} secret={made.signing_secret} onClose={onClose}>The receiver checks with it that a message is ours (Standard Webhooks).</SecretOnce>;
  function submit() {
    create.mutate({
      body: {
        name,
        trigger,
        target: toTarget(target),
        project_id: project || null,
        ...(trigger === "threshold" ? { thresholds: percents(thresholds) } : {}),
        ...(trigger === "anomaly" ? { anomaly: { factor: Number(factor), floor_usd: floor } } : {}),
      },
    });
  }
  return (
    <Dialog open onClose={onClose} title="New alert rule">
      <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <div className="flex flex-col gap-4">
          <Field label="When"><Select value={trigger} onChange={(event) => setTrigger(event.target.value as Trigger)}>{Object.entries(TRIGGERS).map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          {trigger === "threshold" && <Field label="At per cent" optional hint="Of those that the budget has; empty is all of them." error={fieldError(create.error, "thresholds")}><Input value={thresholds} onChange={(event) => setThresholds(event.target.value)} placeholder="90, 100" /></Field>}
          {trigger === "anomaly" && (
            <div className="grid grid-cols-2 gap-3">
              <Field label="Times the usual hour" error={fieldError(create.error, "anomaly/factor")}><Input value={factor} inputMode="decimal" onChange={(event) => setFactor(event.target.value)} /></Field>
              <Field label="And at least"><Input prefix="$" value={floor} inputMode="decimal" onChange={(event) => setFloor(event.target.value)} /></Field>
            </div>
          )}
          <Field label="Of"><ProjectSelect value={project} onChange={setProject} all="Every project" /></Field>
          <TargetFields draft={target} onChange={setTarget} problem={create.error} />
          <Field label="Name" error={fieldError(create.error, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} placeholder="Finance at 90 %" /></Field>
          <ProblemNote problem={create.error} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending}>Create rule</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
