import type { ReactNode } from "react";

/** What a list is, in a sentence or in paragraphs, and what adds to it. */
export function ListIntro({ children, action }: { children: ReactNode; action: ReactNode }) {
  return (
    <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
      <div className="max-w-xl text-ink-2">{children}</div>
      <div className="flex flex-wrap gap-2">{action}</div>
    </div>
  );
}
