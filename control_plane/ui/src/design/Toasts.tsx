import { CircleCheck, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { IconButton } from "./Button";

type Shown = { id: number; text: string };
const SHOWN_MS = 4500;
let shown: Shown[] = [];
let lastId = 0;
const listeners = new Set<() => void>();

function show(next: Shown[]): void {
  shown = next;
  for (const told of listeners) told();
}

function dismiss(id: number): void {
  show(shown.filter((one) => one.id !== id));
}

/** Says that something was done; it goes by itself. */
export function toast(text: string): void {
  const id = ++lastId;
  show([...shown.slice(-2), { id, text }]);
  setTimeout(() => dismiss(id), SHOWN_MS);
}

function subscribe(told: () => void): () => void {
  listeners.add(told);
  return () => listeners.delete(told);
}

export function Toasts() {
  const toasts = useSyncExternalStore(subscribe, () => shown);
  return (
    <div role="status" aria-live="polite" className="pointer-events-none fixed inset-x-3 bottom-4 z-50 flex flex-col items-end gap-2 sm:left-auto sm:right-5">
      {toasts.map((one) => (
        <div key={one.id} className="pointer-events-auto flex items-center gap-2.5 rounded-lg border border-line bg-raised py-1 pl-3 pr-1 shadow-float animate-appear">
          <CircleCheck size={16} className="shrink-0 text-good" aria-hidden />
          <span>{one.text}</span>
          <IconButton label="Dismiss" className="size-7" onClick={() => dismiss(one.id)}><X size={14} /></IconButton>
        </div>
      ))}
    </div>
  );
}
