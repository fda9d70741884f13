import { clsx } from "clsx";
import { Check } from "lucide-react";
import { STEPS, type Step } from "./steps";

export function StepList({ current }: { current: Step }) {
  const at = STEPS.findIndex(([id]) => id === current);
  return (
    <ol className="mb-6 flex items-center gap-2" aria-label="Steps">
      {STEPS.map(([id, name], index) => (
        <li key={id} aria-current={index === at ? "step" : undefined} className={clsx("flex items-center gap-2", index < STEPS.length - 1 && "flex-1")}>
          <span className={clsx("flex size-6 shrink-0 items-center justify-center rounded-full text-xs font-semibold", index < at ? "bg-good-soft text-good" : index === at ? "bg-accent text-on-accent" : "bg-sunken text-ink-3")}>
            {index < at ? <Check size={14} aria-label="done" /> : index + 1}
          </span>
          <span className={clsx("whitespace-nowrap text-xs", index === at ? "font-medium text-ink" : "text-ink-3 max-sm:sr-only")}>{name}</span>
          {index < STEPS.length - 1 && <span aria-hidden className="h-px flex-1 bg-line" />}
        </li>
      ))}
    </ol>
  );
}
