import { clsx } from "clsx";

type Props<T extends string> = { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void };

/** A few choices of which one holds. */
export function Segments<T extends string>({ label, value, options, onChange }: Props<T>) {
  return (
    <div role="group" aria-label={label} className="inline-flex h-8 items-center rounded-md border border-line bg-sunken p-0.5">
      {options.map(([option, name]) => (
        <button
          key={option}
          type="button"
          aria-pressed={option === value}
          onClick={() => onChange(option)}
          className={clsx("h-full whitespace-nowrap rounded-[5px] px-2.5 text-xs font-medium transition-colors", option === value ? "bg-surface text-ink shadow-raised dark:bg-line-strong" : "text-ink-2 hover:text-ink")}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
