import { Children, startTransition, useEffect, useState, type ReactNode } from "react";

/** Its children under each other, each in a task of its own: the page answers between them, and nothing moves. */
export function Gradually({ children }: { children: ReactNode }) {
  const parts = Children.toArray(children);
  const [shown, setShown] = useState(1);
  useEffect(() => {
    if (shown >= parts.length) return;
    const timer = setTimeout(() => startTransition(() => setShown(shown + 1)));
    return () => clearTimeout(timer);
  }, [shown, parts.length]);
  return parts.slice(0, shown);
}
