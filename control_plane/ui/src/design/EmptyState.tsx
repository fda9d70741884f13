import type { ReactNode } from "react";

type Props = { icon: ReactNode; title: string; children?: ReactNode; action?: ReactNode };

/** Nothing is here yet: what would be, and how it comes. */
export function EmptyState({ icon, title, children, action }: Props) {
  return (
    <div className="flex flex-col items-center px-6 py-14 text-center">
      <div className="mb-4 flex size-10 items-center justify-center rounded-lg border border-line bg-sunken text-ink-2" aria-hidden>{icon}</div>
      <h2 className="text-base">{title}</h2>
      {children && <div className="mt-1 max-w-sm text-pretty text-ink-2">{children}</div>}
      {action && <div className="mt-5 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}
