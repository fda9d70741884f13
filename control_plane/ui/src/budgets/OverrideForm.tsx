import { useState } from "react";
import { api, refresh } from "@/api/client";
import { ProblemNote } from "@/api/ProblemNote";
import { Button } from "@/design/Button";
import { Dialog, DialogActions } from "@/design/Dialog";
import { Field, Input, Select } from "@/design/Field";
import { toast } from "@/design/Toasts";
import { BUDGETS, QUOTAS, title, type Limit } from "./limits";

const MINUTES = [["15", "15 minutes"], ["60", "An hour"], ["480", "8 hours"], ["1440", "A day"], ["10080", "A week"]] as const;

export function OverrideForm({ limit, onClose }: { limit: Limit; onClose: () => void }) {
  const [minutes, setMinutes] = useState("60");
  const [amount, setAmount] = useState("");
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>(null);

  async function grant() {
    setBusy(true);
    const body = { minutes: Number(minutes), reason };
    try {
      if (limit.kind === "budget") await api.POST("/v1/budgets/{budget_id}/override", { params: { path: { budget_id: limit.id } }, body: { ...body, limit_usd: amount || null } });
      else await api.POST("/v1/quotas/{quota_id}/override", { params: { path: { quota_id: limit.id } }, body: { ...body, limit: amount || null } });
      await refresh(BUDGETS, QUOTAS);
      toast("The override is in force");
      onClose();
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }

  return (
    <Dialog open onClose={onClose} title={`Override ${title(limit)}`} description="Lets calls through for a while. It ends by itself, and is in the audit log.">
      <form onSubmit={(event) => { event.preventDefault(); void grant(); }}>
        <div className="flex flex-col gap-4">
          <Field label="For"><Select value={minutes} onChange={(event) => setMinutes(event.target.value)}>{MINUTES.map(([id, word]) => <option key={id} value={id}>{word}</option>)}</Select></Field>
          <Field label="Limit meanwhile" optional hint="Empty refuses nothing."><Input prefix={limit.unit === "usd" ? "$" : undefined} inputMode="decimal" value={amount} onChange={(event) => setAmount(event.target.value)} /></Field>
          <Field label="Reason"><Input value={reason} onChange={(event) => setReason(event.target.value)} maxLength={500} required placeholder="Release day" /></Field>
          <ProblemNote problem={problem} />
        </div>
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={busy}>Override</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
