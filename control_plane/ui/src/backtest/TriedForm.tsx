import { Play } from "lucide-react";
import { useEffect, useState } from "react";
import { fieldError } from "@/api/problem";
import { WINDOWS, type Unit, type Window } from "@/budgets/limits";
import { ScopeFields, toRows, toScope } from "@/budgets/ScopeFields";
import { ZoneInput } from "@/budgets/ZoneInput";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { Field, Input, Select } from "@/design/Field";
import { ProjectSelect } from "@/projects/ProjectSelect";
import { faultsOf, REPLAYED, SPANS, type Draft, type Span } from "./backtest";
import { PriceTrials } from "./PriceTrials";

type Props = { draft: Draft; problem: unknown; isRunning: boolean; onRun: (draft: Draft) => void };

/** What is tried: a limit, prices, or both. It is asked when one says so, since it may take a while. */
export function TriedForm({ draft: given, problem, isRunning, onRun }: Props) {
  const [draft, setDraft] = useState(given);
  const [rows, setRows] = useState(() => toRows(given.scope));
  // Another address is another question, and what was just asked is this one.
  useEffect(() => {
    setDraft(given);
    setRows(toRows(given.scope));
  }, [given]);
  const set = (change: Partial<Draft>) => setDraft({ ...draft, ...change });
  const faults = faultsOf(draft);
  const isUnfit = Object.keys(faults).length > 0;
  return (
    <Card title="What is tried" hint="A limit, other prices, or both. Nothing is stored, and no call is refused.">
      <form onSubmit={(event) => { event.preventDefault(); if (!isUnfit) onRun({ ...draft, scope: toScope(rows) }); }}>
        <div className="grid grid-cols-2 gap-3 md:grid-cols-4">
          <Field label="What is counted"><Select value={draft.unit} onChange={(event) => set({ unit: event.target.value as Unit })}>{REPLAYED.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          <Field label="Limit" optional hint="Empty refuses nothing." error={faults.limit ?? fieldError(problem, "limit")}><Input prefix={draft.unit === "usd" ? "$" : undefined} value={draft.limit} onChange={(event) => set({ limit: event.target.value })} inputMode="decimal" placeholder={draft.unit === "usd" ? "100.00" : "600"} /></Field>
          <Field label="In a"><Select value={draft.window} onChange={(event) => set({ window: event.target.value as Window })}>{WINDOWS.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          <Field label="Over" error={faults.span ?? fieldError(problem, "from_s")}><Select value={draft.span} onChange={(event) => set({ span: event.target.value as Span })}>{SPANS.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          <Field label="Of" className="max-md:col-span-2" error={fieldError(problem, "project_id")}><ProjectSelect value={draft.project} onChange={(project) => set({ project })} all="The whole organization" /></Field>
          <Field label="Time zone" className="max-md:col-span-2" error={faults.zone ?? fieldError(problem, "time_zone")}><ZoneInput value={draft.zone} onChange={(zone) => set({ zone })} /></Field>
          {draft.unit === "usd" && <Field label="Ceiling of one call" optional className="max-md:col-span-2" hint="For calls without a price." error={faults.ceiling ?? fieldError(problem, "ceiling_usd")}><Input prefix="$" inputMode="decimal" value={draft.ceiling} onChange={(event) => set({ ceiling: event.target.value })} /></Field>}
        </div>
        <div className="mt-4 grid gap-4 md:grid-cols-2">
          <ScopeFields rows={rows} onChange={setRows} each />
          <PriceTrials prices={draft.prices} onChange={(prices) => set({ prices })} />
        </div>
        <div className="mt-4 flex justify-end"><Button type="submit" look="primary" icon={<Play size={14} />} busy={isRunning} disabled={isUnfit}>Replay the calls</Button></div>
      </form>
    </Card>
  );
}
