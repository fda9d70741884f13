import { useState } from "react";
import { $api, refresh } from "@/api/client";
import { fieldError } from "@/api/problem";
import { ProblemNote } from "@/api/ProblemNote";
import { BUDGETS } from "@/budgets/limits";
import { Button } from "@/design/Button";
import { Card } from "@/design/Card";
import { Check, Field, Input } from "@/design/Field";

export function BudgetStep({ projectId, onNext }: { projectId: string; onNext: () => void }) {
  const [amount, setAmount] = useState("100.00");
  const [blocks, setBlocks] = useState(true);
  const create = $api.useMutation("post", "/v1/budgets", {
    onSuccess: async () => {
      await refresh(BUDGETS);
      onNext();
    },
  });
  return (
    <Card title="Set a budget" hint="So that a loop at night costs a known amount at most.">
      <form className="flex flex-col gap-4" onSubmit={(event) => { event.preventDefault(); create.mutate({ body: { project_id: projectId, limit_usd: amount, hard_stop: blocks } }); }}>
        <Field label="A month" className="max-w-48" error={fieldError(create.error, "limit_usd")}><Input prefix="$" inputMode="decimal" value={amount} onChange={(event) => setAmount(event.target.value)} required autoFocus /></Field>
        <Check label="Refuse calls at the limit" hint="Otherwise it only counts and tells." checked={blocks} onChange={setBlocks} />
        {create.error && <ProblemNote problem={create.error} />}
        <div className="flex gap-2">
          <Button type="submit" look="primary" busy={create.isPending}>Set the budget</Button>
          <Button look="quiet" onClick={onNext}>Skip for now</Button>
        </div>
      </form>
    </Card>
  );
}
