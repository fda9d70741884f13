import { useState } from "react";
import { api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Check, Field, Input, Select } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { hasCalendar, zoneFault } from "./calendar";
import { LimitPreview } from "./LimitPreview";
import { QUOTAS, UNITS, VALUES_DEFAULT, WINDOWS, type Limit, type Unit, type Window } from "./limits";
import { RefusalFields, refusalBody, valuesFault } from "./RefusalFields";
import { ScopeFields, toRows, toScope } from "./ScopeFields";
import { percents, percentsFault, usualThresholds } from "./thresholds";
import { WindowFields } from "./WindowFields";

type Props = { limit?: Limit; projectId?: string; onClose: () => void };

export function QuotaForm({ limit, projectId, onClose }: Props) {
  const [project, setProject] = useState(limit?.projectId ?? projectId ?? "");
  const [name, setName] = useState(limit?.name ?? "");
  const [unit, setUnit] = useState<Unit>(limit?.unit ?? "requests");
  const [amount, setAmount] = useState(String(limit?.limit ?? ""));
  const [window, setWindow] = useState<Window>(limit?.window ?? "minute");
  const [blocks, setBlocks] = useState(limit?.blocks ?? true);
  const [thresholds, setThresholds] = useState(limit?.thresholds.join(", "));
  const [zone, setZone] = useState(limit?.timeZone ?? "UTC");
  const [scope, setScope] = useState(toRows(limit?.scope ?? {}));
  const [refusal, setRefusal] = useState({ ceiling: limit?.ceilingUsd ?? "", valuesMax: String(limit?.valuesMax ?? VALUES_DEFAULT), answers429: limit?.answers429 ?? false });
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  const atATime = unit === "concurrent";
  const counted: Window = atATime ? "total" : window;
  // Until somebody says where it tells, that follows what is counted.
  const told = thresholds ?? usualThresholds(unit, counted);
  const isUnfit = percentsFault(told) !== undefined || valuesFault(refusal, toScope(scope)) !== undefined || (hasCalendar(unit, counted) && zoneFault(zone) !== undefined);

  async function save() {
    setBusy(true);
    const body = { name, limit: amount || null, action: blocks ? ("block" as const) : ("alert" as const), thresholds: percents(told), time_zone: zone, scope: toScope(scope), ...(atATime ? {} : { window }), ...refusalBody(refusal, unit, blocks, toScope(scope)) };
    try {
      if (limit) await api.PATCH("/v1/quotas/{quota_id}", { params: { path: { quota_id: limit.id } }, body });
      else await api.POST("/v1/quotas", { body: { ...body, unit, project_id: project || null } });
      await refresh(QUOTAS);
      toast(limit ? "Quota changed" : "Quota set; every gateway knows it within a second");
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  return (
    <Dialog open onClose={onClose} title={limit ? "Change the quota" : "Set a quota"}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <div className="flex flex-col gap-4">
          {!limit && <Field label="Of"><ProjectSelect value={project} onChange={setProject} all="The whole organization" /></Field>}
          <Field label="What is counted"><Select value={unit} disabled={Boolean(limit)} onChange={(event) => setUnit(event.target.value as Unit)}>{UNITS.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          <div className="grid grid-cols-2 gap-3">
            <Field label="Limit" hint="Empty only counts." error={fieldError(problem, "limit")}><Input value={amount} onChange={(event) => setAmount(event.target.value)} inputMode="decimal" autoFocus placeholder={unit === "usd" ? "100.00" : "600"} prefix={unit === "usd" ? "$" : undefined} /></Field>
            {!atATime && <Field label="In a"><Select value={window} onChange={(event) => setWindow(event.target.value as Window)}>{WINDOWS.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>}
          </div>
          <LimitPreview proposed={{ unit, limit: amount, window, projectId: project, scope: toScope(scope), timeZone: zone, ceilingUsd: refusal.ceiling }} blocks={blocks} onSuggest={setAmount} />
          <Check label="Refuse calls at the limit" hint="Otherwise it only counts and tells." checked={blocks} onChange={setBlocks} />
          <WindowFields unit={unit} window={counted} thresholds={told} onThresholds={setThresholds} zone={zone} onZone={setZone} problem={problem} />
          <ScopeFields rows={scope} onChange={setScope} each />
          <RefusalFields draft={refusal} onChange={setRefusal} unit={unit} blocks={blocks} scope={toScope(scope)} problem={problem} />
          <Field label="Name" optional error={fieldError(problem, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} maxLength={100} placeholder="Fair use of each user" /></Field>
          {limit && <p className="text-xs text-ink-3">Another window counts from zero, and so does what is newly counted apart or together.</p>}
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={busy} disabled={isUnfit}>{limit ? "Save" : "Set quota"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
