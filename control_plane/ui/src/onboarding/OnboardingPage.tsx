import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import type { KeyWithSecret } from "@/api/schema";
import { ProblemState } from "@/api/ProblemState";
import { HEADINGS } from "@/app/headings";
import { useMay } from "@/auth/session";
import { Gradually } from "@/design/Gradually";
import { PageHeader } from "@/design/PageHeader";
import { AlertsStep } from "./AlertsStep";
import { BudgetStep } from "./BudgetStep";
import { CallStep } from "./CallStep";
import { KeyStep } from "./KeyStep";
import { ProjectStep } from "./ProjectStep";
import { StepList } from "./StepList";
import { stepOf, type Step } from "./steps";

const route = getRouteApi("/shell/onboarding");
const FORBIDDEN = { type: "", title: "Forbidden", status: 403, detail: "Connecting an application takes the permission keys:write. Ask an owner or an admin." };

export function OnboardingPage() {
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const [made, setMade] = useState<KeyWithSecret | null>(null);
  const mayMakeKeys = useMay("keys:write");
  const maySetBudgets = useMay("budgets:write");
  if (!mayMakeKeys) return <ProblemState problem={FORBIDDEN} />;
  const projectId = search.project ?? "";
  const step = stepOf(search.step, projectId !== "", made !== null);
  const go = (next: Step, project = projectId) => void navigate({ search: { project: project || undefined, step: next } });
  const leave = () => void navigate({ to: "/projects/$projectId", params: { projectId } });
  return (
    <div className="max-w-3xl">
      <Gradually>
        <PageHeader {...HEADINGS["/onboarding"]} />
        <StepList current={step} />
        {step === "project" && <ProjectStep onChosen={(id) => go("key", id)} />}
        {step === "key" && <KeyStep projectId={projectId} made={made} onMade={setMade} onNext={() => go("call")} />}
        {step === "call" && made && <CallStep made={made} onNext={maySetBudgets ? () => go("budget") : leave} />}
        {step === "budget" && <BudgetStep projectId={projectId} onNext={() => go("alerts")} />}
        {step === "alerts" && <AlertsStep projectId={projectId} onDone={leave} />}
      </Gradually>
    </div>
  );
}
