import { ChevronsUpDown } from "lucide-react";
import type { ComponentPropsWithRef } from "react";
import { useSession } from "@/auth/session";

/** Who is signed in; what opens the menu of their account. */
export function AccountButton(props: ComponentPropsWithRef<"button">) {
  const session = useSession();
  return (
    <button type="button" {...props} className="flex h-10 w-full items-center gap-2.5 rounded-md px-2 text-left transition-colors hover:bg-sunken" aria-label={`Account of ${session.name}`}>
      <span aria-hidden className="flex size-6 shrink-0 items-center justify-center rounded-full bg-accent-soft text-xs font-semibold uppercase text-accent-ink">{session.name[0]}</span>
      <span className="min-w-0 flex-1 leading-tight">
        <span className="block truncate font-medium">{session.name}</span>
        <span className="block text-xs capitalize text-ink-3">{session.organization.role}</span>
      </span>
      <ChevronsUpDown size={14} className="text-ink-3" aria-hidden />
    </button>
  );
}
