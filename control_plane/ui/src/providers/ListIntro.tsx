import type { ReactNode } from "react";

/** A sentence about a list, and what adds to it. */
export function ListIntro({ children, action }: { children: ReactNode; action: ReactNode }) {
  return (
    <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
      <p className="max-w-xl text-ink-2">{children}</p>
      <div className="flex flex-wrap gap-2">{action}</div>
    </div>
  );
}
