import { Link } from "@tanstack/react-router";
import { ProblemNote } from "@/api/ProblemNote";
import { buttonClass } from "@/design/Button";
import { Card } from "@/design/Card";
import { Skeleton } from "@/design/Skeleton";
import { LimitStanding } from "./LimitStanding";
import { title, useBudgets, useStandings } from "./limits";

const SHOWN = 6;

/** The budgets, live, on a page about something larger. */
export function BudgetGlance() {
  const { rows, error } = useBudgets();
  const shown = rows?.slice(0, SHOWN);
  const standings = useStandings("budget", shown);
  return (
    <Card title="Budgets" hint="Spent, and paler what calls under way may still cost" actions={<Link to="/budgets" className={buttonClass("quiet", true)}>All budgets</Link>}>
      <ProblemNote problem={error} />
      {!shown && !error && <Skeleton className="h-44 w-full" />}
      {shown?.length === 0 && <p className="py-10 text-center text-ink-3">Nothing limits what is spent.</p>}
      <ul className="divide-y divide-line">
        {shown?.map((limit) => (
          <li key={limit.id} className="flex items-center justify-between gap-6 py-1.5">
            <Link to="/budgets" search={{ open: limit.id }} className="min-w-0 truncate font-medium hover:underline">{title(limit)}</Link>
            <div className="flex w-1/2 shrink-0 justify-end"><LimitStanding limit={limit} standing={standings?.[limit.id]} /></div>
          </li>
        ))}
      </ul>
    </Card>
  );
}
