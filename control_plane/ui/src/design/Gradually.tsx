import { Children, type ReactNode } from "react";
import { useSteps } from "./steps";

/** Its children under each other, one more with each step: what is shown is never moved by what comes. */
export function Gradually({ children }: { children: ReactNode }) {
  const parts = Children.toArray(children);
  return parts.slice(0, useSteps(parts.length));
}
