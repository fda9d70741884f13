import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import type { AlertRuleMade, AlertRuleOut } from "@/api/schema";
import { percents, percentsFault } from "@/budgets/thresholds";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Check, Field, Input, Select } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { SecretOnce } from "@/keys/SecretOnce";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { CHANNELS, RULES, TRIGGERS, type Trigger } from "./rules";
import { EMPTY_TARGET, TargetFields, toTarget } from "./TargetFields";

type Props = { rule?: AlertRuleOut; projectId?: string; onClose: () => void };

/** A new rule, or changes one: of what and when it tells stays as it is then. */
export function RuleForm({ rule, projectId = "", onClose }: Props) {
  const [made, setMade] = useState<AlertRuleMade | null>(null);
  const [name, setName] = useState(rule?.name ?? "");
  const [trigger, setTrigger] = useState<Trigger>(rule?.trigger ?? "threshold");
  const [project, setProject] = useState(rule?.project_id ?? projectId);
  const [thresholds, setThresholds] = useState((rule?.thresholds ?? []).join(", "));
  const [factor, setFactor] = useState(String(rule?.anomaly?.factor ?? 3));
  const [floor, setFloor] = useState(String(rule?.anomaly?.floor_usd ?? "1.00"));
  const [elsewhere, setElsewhere] = useState(rule === undefined);
  const [target, setTarget] = useState(EMPTY_TARGET);
  async function done(told: AlertRuleMade) {
    await refresh(RULES);
    if (told.signing_secret) return setMade(told);
    toast(rule ? "The rule is changed" : "The rule is on; send a test from its menu");
    onClose();
  }
  const create = $api.useMutation("post", "/v1/alert-rules", { onSuccess: done });
  const edit = $api.useMutation("patch", "/v1/alert-rules/{rule_id}", { onSuccess: done });
  const problem = create.error ?? edit.error;
  if (made?.signing_secret) return <SecretOnce title={`Signing secret of ${made.name}`} secret={made.signing_secret} onClose={onClose}>The receiver checks with it that a message is ours (Standard Webhooks).</SecretOnce>;
  function submit() {
    const said = {
      name,
      ...(trigger === "threshold" ? { thresholds: percents(thresholds) } : {}),
      ...(trigger === "anomaly" ? { anomaly: { factor: Number(factor), floor_usd: floor } } : {}),
    };
    if (rule) edit.mutate({ params: { path: { rule_id: rule.id } }, body: { ...said, ...(elsewhere ? { target: toTarget(target) } : {}) } });
    else create.mutate({ body: { ...said, trigger, target: toTarget(target), project_id: project || null } });
  }
  return (
    <Dialog open onClose={onClose} title={rule ? `Change ${rule.name}` : "New alert rule"}>
      <form onSubmit={(event) => { event.preventDefault(); submit(); }}>
        <div className="flex flex-col gap-4">
          <Field label="When"><Select value={trigger} disabled={Boolean(rule)} onChange={(event) => setTrigger(event.target.value as Trigger)}>{Object.entries(TRIGGERS).map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          {trigger === "threshold" && <Field label="At per cent" optional hint="Of those that the budget has; empty is all of them." error={percentsFault(thresholds) ?? fieldError(problem, "thresholds")}><Input value={thresholds} onChange={(event) => setThresholds(event.target.value)} placeholder="90, 100" /></Field>}
          {trigger === "anomaly" && (
            <div className="grid grid-cols-2 gap-3">
              <Field label="Times the usual hour" error={fieldError(problem, "anomaly/factor")}><Input value={factor} inputMode="decimal" onChange={(event) => setFactor(event.target.value)} /></Field>
              <Field label="And at least"><Input prefix="$" value={floor} inputMode="decimal" onChange={(event) => setFloor(event.target.value)} /></Field>
            </div>
          )}
          {!rule && <Field label="Of"><ProjectSelect value={project} onChange={setProject} all="Every project" /></Field>}
          {rule && <Check label="Send it elsewhere" hint={`Now to ${rule.target_hint}, ${CHANNELS[rule.channel]}.`} checked={elsewhere} onChange={setElsewhere} />}
          {elsewhere && <TargetFields draft={target} onChange={setTarget} problem={problem} />}
          <Field label="Name" error={fieldError(problem, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} required maxLength={100} placeholder="Finance at 90 %" /></Field>
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={create.isPending || edit.isPending}>{rule ? "Save" : "Create rule"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
