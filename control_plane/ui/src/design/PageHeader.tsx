import type { ReactNode } from "react";
import { useEffect } from "react";

type Props = { title: string; before?: ReactNode; description?: ReactNode; actions?: ReactNode };

export function PageHeader({ title, before, description, actions }: Props) {
  useEffect(() => {
    document.title = `${title} · LensAI`;
  }, [title]);
  return (
    <header className="mb-5 flex flex-wrap items-end justify-between gap-x-6 gap-y-3">
      <div className="min-w-0 max-w-full">
        {before && <div className="mb-1 text-xs text-ink-3">{before}</div>}
        <h1 className="wrap-break-word text-xl">{title}</h1>
        {description && <p className="mt-0.5 max-w-2xl text-pretty text-ink-2">{description}</p>}
      </div>
      {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}
