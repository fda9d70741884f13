import { Gauge, Plus, Timer } from "lucide-react";
import { useMay } from "@/auth/session";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { BudgetForm } from "./BudgetForm";
import { LimitDetails, type View } from "./LimitDetails";
import { LimitTable } from "./LimitTable";
import { useBudgets, useQuotas, type Kind } from "./limits";
import { QuotaForm } from "./QuotaForm";

/** Which limit is open, and how, or which kind is being made. */
export type LimitView = { open?: string; view?: View; new?: Kind };

type Props = { projectId: string; shown: LimitView; onShow: (shown: LimitView) => void };

/** The budgets and the quotas of one project, under each other. */
export function LimitList({ projectId, shown, onShow }: Props) {
  const budgets = useBudgets(projectId);
  const quotas = useQuotas(projectId);
  const opened = [...(budgets.rows ?? []), ...(quotas.rows ?? [])].find((limit) => limit.id === shown.open);
  const close = () => onShow({});
  const mayWrite = useMay("budgets:write");
  return (
    <div className="flex flex-col gap-6">
      <section>
        <Heading name="Budgets" action={mayWrite && <Button icon={<Plus size={15} />} onClick={() => onShow({ new: "budget" })}>Set a budget</Button>} />
        <LimitTable label="Budgets" kind="budget" list={budgets} withProject={false} onOpen={(limit) => onShow({ open: limit.id })} empty={<EmptyState icon={<Gauge size={18} />} title="No budget">Nothing limits what this project spends.</EmptyState>} />
      </section>
      <section>
        <Heading name="Quotas" action={mayWrite && <Button icon={<Plus size={15} />} onClick={() => onShow({ new: "quota" })}>Set a quota</Button>} />
        <LimitTable label="Quotas" kind="quota" list={quotas} withProject={false} onOpen={(limit) => onShow({ open: limit.id })} empty={<EmptyState icon={<Timer size={18} />} title="No quota">No limit of requests, tokens or calls at a time.</EmptyState>} />
      </section>
      {opened && <LimitDetails limit={opened} view={shown.view} onView={(view) => onShow({ open: opened.id, view })} onClose={close} />}
      {mayWrite && shown.new === "budget" && <BudgetForm projectId={projectId} onClose={close} />}
      {mayWrite && shown.new === "quota" && <QuotaForm projectId={projectId} onClose={close} />}
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
