import { Lock, SearchX, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import { Button } from "@/design/Button";
import { EmptyState } from "@/design/EmptyState";
import { explain, isProblem } from "./problem";

const TITLES: Record<number, [ReactNode, string]> = {
  403: [<Lock size={18} key="lock" />, "Your role does not include this"],
  404: [<SearchX size={18} key="search" />, "This is not here"],
};

/** Stands where something could not be loaded. */
export function ProblemState({ problem, onRetry }: { problem: unknown; onRetry?: () => void }) {
  const [icon, title] = (isProblem(problem) && TITLES[problem.status]) || [<TriangleAlert size={18} key="alert" />, "This could not be loaded"];
  const mayHelp = onRetry && !(isProblem(problem) && problem.status in TITLES);
  return (
    <div role="alert" className="rounded-lg border border-line bg-surface">
      <EmptyState icon={icon} title={title} action={mayHelp && <Button onClick={onRetry}>Try again</Button>}>
        {explain(problem)}
      </EmptyState>
    </div>
  );
}
