import { getRouteApi, Link } from "@tanstack/react-router";
import { Rocket } from "lucide-react";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { BudgetGlance } from "@/budgets/BudgetGlance";
import { buttonClass } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { useProjects } from "@/projects/projects";
import { ForecastStats } from "./ForecastStats";
import { LiveTail } from "./LiveTail";
import { asked } from "./question";
import { SpendChart } from "./SpendChart";
import { TopMovers } from "./TopMovers";

const route = getRouteApi("/shell/");
const WEEK = asked({ range: "7d" });

/** What is being spent, on what, and whether it is about to hit a limit. */
export function OverviewPage() {
  const projects = useProjects();
  const view = route.useSearch();
  const navigate = route.useNavigate();
  const maySeeUsage = useMay("usage:read");
  const maySeeBudgets = useMay("budgets:read");
  const mayConnect = useMay("keys:write");
  if (projects?.length === 0) return <NothingYet mayConnect={mayConnect} />;
  return (
    <Gradually>
      <PageHeader {...HEADINGS["/"]} actions={mayConnect && <Link to="/onboarding" className={buttonClass("plain")}>Connect an application</Link>} />
      <div className="flex flex-col gap-4">
        <Gradually>
          {maySeeUsage && <ForecastStats />}
          {maySeeUsage && <SpendChart query={WEEK} title="Last 7 days" view={view} onView={(next) => void navigate({ search: next, resetScroll: false })} onOpen={(from, to) => void navigate({ to: "/requests", search: { from, to } })} />}
          <div className="grid gap-4 lg:grid-cols-2">
            <Gradually>
              {maySeeBudgets && <BudgetGlance />}
              {maySeeUsage && <TopMovers />}
            </Gradually>
          </div>
          {maySeeUsage && <LiveTail />}
        </Gradually>
      </div>
    </Gradually>
  );
}

function NothingYet({ mayConnect }: { mayConnect: boolean }) {
  const connect = mayConnect && <Link to="/onboarding" className={buttonClass("primary")}><Rocket size={15} aria-hidden />Connect an application</Link>;
  return (
    <>
      <PageHeader {...HEADINGS["/"]} />
      <div className="rounded-lg border border-line bg-surface">
        <EmptyState icon={<Rocket size={18} />} title="Nothing flows through the gateway yet" action={connect}>
          Make a project and a key, change one address in your application, and see its first call here.
        </EmptyState>
      </div>
    </>
  );
}
