import { clsx } from "clsx";
import type { ReactNode } from "react";

type Props = { title?: ReactNode; hint?: ReactNode; actions?: ReactNode; className?: string; flush?: boolean; children: ReactNode };

/** A frame with a heading; `flush` content reaches its edges. */
export function Card({ title, hint, actions, className, flush, children }: Props) {
  return (
    <section className={clsx("flex min-w-0 flex-col rounded-lg border border-line bg-surface", className)}>
      {(title || actions) && (
        <header className="flex min-h-12 flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2">
          <div className="min-w-0">
            <h2 className="text-sm">{title}</h2>
            {hint && <p className="text-xs text-ink-3">{hint}</p>}
          </div>
          {actions && <div className="flex min-w-0 flex-wrap items-center gap-1.5">{actions}</div>}
        </header>
      )}
      <div className={clsx("min-w-0 flex-1", !flush && "px-4 pb-4", !flush && !title && "pt-4")}>{children}</div>
    </section>
  );
}
