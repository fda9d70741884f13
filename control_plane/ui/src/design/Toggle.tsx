import { clsx } from "clsx";

type Props = { label: string; pressed: boolean; onChange: (pressed: boolean) => void };

/** A button that stays down. */
export function Toggle({ label, pressed, onChange }: Props) {
  return (
    <button
      type="button"
      aria-pressed={pressed}
      onClick={() => onChange(!pressed)}
      className={clsx("h-8 whitespace-nowrap rounded-md border px-2.5 text-xs font-medium transition-colors", pressed ? "border-accent/40 bg-accent-soft text-accent-ink" : "border-line bg-surface text-ink-2 hover:border-line-strong hover:text-ink")}
    >
      {label}
    </button>
  );
}
