import { startTransition, useEffect, useState } from "react";

/** Counts from 1 to `last`, each in a task of its own, so that the page answers in between. */
export function useSteps(last: number): number {
  const [step, setStep] = useState(1);
  useEffect(() => {
    if (step >= last) return;
    const timer = setTimeout(() => startTransition(() => setStep(step + 1)));
    return () => clearTimeout(timer);
  }, [step, last]);
  return Math.min(step, last);
}
