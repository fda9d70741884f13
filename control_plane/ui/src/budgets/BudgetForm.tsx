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
import { BUDGETS, WINDOWS, type Limit, type Window } from "./limits";
import { ScopeFields, toRows, toScope } from "./ScopeFields";
import { percents, percentsFault, usualThresholds } from "./thresholds";
import { WindowFields } from "./WindowFields";

type Props = { limit?: Limit; projectId?: string; onClose: () => void };

export function BudgetForm({ limit, projectId, onClose }: Props) {
  const [project, setProject] = useState(limit?.projectId ?? projectId ?? "");
  const [name, setName] = useState(limit?.name ?? "");
  const [amount, setAmount] = useState(String(limit?.limit ?? ""));
  const [period, setPeriod] = useState<Window>(limit?.window ?? "month");
  const [blocks, setBlocks] = useState(limit?.blocks ?? true);
  const [thresholds, setThresholds] = useState(limit?.thresholds.join(", "));
  const [zone, setZone] = useState(limit?.timeZone ?? "UTC");
  const [scope, setScope] = useState(toRows(limit?.scope ?? {}));
  const [ceiling, setCeiling] = useState(limit?.ceilingUsd ?? "");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);
  // Until somebody says where it tells, that follows the window.
  const told = thresholds ?? usualThresholds("usd", period);
  const isUnfit = percentsFault(told) !== undefined || (hasCalendar("usd", period) && zoneFault(zone) !== undefined);

  async function save() {
    setBusy(true);
    const body = { name, limit_usd: amount, period, hard_stop: blocks, thresholds: percents(told), scope: toScope(scope), time_zone: zone, ceiling_usd: ceiling || null };
    try {
      if (limit) await api.PATCH("/v1/budgets/{budget_id}", { params: { path: { budget_id: limit.id } }, body });
      else await api.POST("/v1/budgets", { body: { ...body, project_id: project || null } });
      await refresh(BUDGETS);
      toast(limit ? "Budget changed" : "Budget set; every gateway knows it within a second");
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  return (
    <Dialog open onClose={onClose} title={limit ? "Change the budget" : "Set a budget"}>
      <form onSubmit={(event) => { event.preventDefault(); void save(); }}>
        <div className="flex flex-col gap-4">
          {!limit && <Field label="Of"><ProjectSelect value={project} onChange={setProject} all="The whole organization" /></Field>}
          <div className="grid grid-cols-2 gap-3">
            <Field label="Limit" error={fieldError(problem, "limit_usd")}><Input prefix="$" value={amount} onChange={(event) => setAmount(event.target.value)} inputMode="decimal" required autoFocus placeholder="100.00" /></Field>
            <Field label="In a"><Select value={period} onChange={(event) => setPeriod(event.target.value as Window)}>{WINDOWS.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          </div>
          <LimitPreview proposed={{ unit: "usd", limit: amount, window: period, projectId: project, scope: toScope(scope), timeZone: zone, ceilingUsd: ceiling }} blocks={blocks} onSuggest={setAmount} />
          <Check label="Refuse calls at the limit" hint="Otherwise it only counts and tells." checked={blocks} onChange={setBlocks} />
          <Field label="Name" optional error={fieldError(problem, "name")}><Input value={name} onChange={(event) => setName(event.target.value)} maxLength={100} placeholder="Checkout, production" /></Field>
          <WindowFields unit="usd" window={period} thresholds={told} onThresholds={setThresholds} zone={zone} onZone={setZone} problem={problem} />
          <details>
            <summary className="w-fit font-medium text-ink-2 hover:text-ink">More</summary>
            <div className="mt-3 flex flex-col gap-4">
              <Field label="Ceiling of one call" optional hint="Held for a call whose cost has no bound; without it such calls are refused." error={fieldError(problem, "ceiling_usd")}><Input prefix="$" inputMode="decimal" value={ceiling} onChange={(event) => setCeiling(event.target.value)} /></Field>
              <ScopeFields rows={scope} onChange={setScope} each />
            </div>
          </details>
          {limit && <p className="text-xs text-ink-3">Another window counts from zero, and so does what is newly counted apart or together.</p>}
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={busy} disabled={isUnfit}>{limit ? "Save" : "Set budget"}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
