import { CircleAlert } from "lucide-react";
import { explain } from "./problem";

/** Why something was not done, beside the button that asked for it. */
export function ProblemNote({ problem }: { problem: unknown }) {
  if (!problem) return null;
  return (
    <div role="alert" className="flex items-start gap-2 rounded-md bg-bad-soft px-3 py-2 text-bad">
      <CircleAlert size={16} className="mt-0.5 shrink-0" aria-hidden />
      <span className="min-w-0 break-words">{explain(problem)}</span>
    </div>
  );
}
