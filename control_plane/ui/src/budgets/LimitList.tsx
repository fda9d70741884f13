import { Gauge, Plus, Timer } from "lucide-react";
import { useState } from "react";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { BudgetForm } from "./BudgetForm";
import { LimitDetails } from "./LimitDetails";
import { LimitTable } from "./LimitTable";
import { useBudgets, useQuotas, type Kind, type Limit } from "./limits";
import { QuotaForm } from "./QuotaForm";

/** The budgets and the quotas of one project, under each other. */
export function LimitList({ projectId }: { projectId: string }) {
  const budgets = useBudgets(projectId);
  const quotas = useQuotas(projectId);
  const [opened, setOpened] = useState<Limit | null>(null);
  const [adding, setAdding] = useState<Kind | null>(null);
  const mayWrite = useMay("budgets:write");
  return (
    <div className="flex flex-col gap-6">
      <section>
        <Heading name="Budgets" action={mayWrite && <Button icon={<Plus size={15} />} onClick={() => setAdding("budget")}>Set a budget</Button>} />
        <LimitTable label="Budgets" list={budgets} withProject={false} onOpen={setOpened} empty={<EmptyState icon={<Gauge size={18} />} title="No budget">Nothing limits what this project spends.</EmptyState>} />
      </section>
      <section>
        <Heading name="Quotas" action={mayWrite && <Button icon={<Plus size={15} />} onClick={() => setAdding("quota")}>Set a quota</Button>} />
        <LimitTable label="Quotas" list={quotas} withProject={false} onOpen={setOpened} empty={<EmptyState icon={<Timer size={18} />} title="No quota">No limit of requests, tokens or calls at a time.</EmptyState>} />
      </section>
      {opened && <LimitDetails limit={opened} onClose={() => setOpened(null)} />}
      {adding === "budget" && <BudgetForm projectId={projectId} onClose={() => setAdding(null)} />}
      {adding === "quota" && <QuotaForm projectId={projectId} onClose={() => setAdding(null)} />}
    </div>
  );
}

function Heading({ name, action }: { name: string; action: React.ReactNode }) {
  return (
    <div className="mb-2 flex min-h-8 items-center justify-between">
      <h2 className="text-base">{name}</h2>
      {action}
    </div>
  );
}
