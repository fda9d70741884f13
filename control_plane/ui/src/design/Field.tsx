import { clsx } from "clsx";
import { ChevronDown } from "lucide-react";
import { createContext, useContext, useId } from "react";
import type { InputHTMLAttributes, ReactNode, SelectHTMLAttributes, TextareaHTMLAttributes } from "react";

type Described = { id: string; describedBy?: string; invalid: boolean };
const Current = createContext<Described | null>(null);

type FieldProps = { label: string; hint?: ReactNode; error?: string; optional?: boolean; className?: string; children: ReactNode };

/** A label, one control, and what is wrong with it or helps to fill it in. */
export function Field({ label, hint, error, optional, className, children }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <Current value={{ id, describedBy: note ? `${id}-note` : undefined, invalid: Boolean(error) }}>
      <div className={clsx("flex min-w-0 flex-col gap-1.5", className)}>
        <label htmlFor={id} className="text-sm font-medium">
          {label}
          {optional && <span className="ml-1.5 font-normal text-ink-3">optional</span>}
        </label>
        {children}
        {note && (
          <p id={`${id}-note`} className={clsx("text-xs", error ? "text-bad" : "text-ink-3")} role={error ? "alert" : undefined}>
            {note}
          </p>
        )}
      </div>
    </Current>
  );
}

const BOX =
  "w-full rounded-md border border-line-strong bg-surface px-2.5 text-sm text-ink shadow-raised transition-colors hover:border-ink-3 aria-invalid:border-bad disabled:opacity-60";

function useDescribed() {
  const field = useContext(Current);
  return field ? { id: field.id, "aria-describedby": field.describedBy, "aria-invalid": field.invalid || undefined } : {};
}

export function Input({ className, prefix, ...rest }: InputHTMLAttributes<HTMLInputElement> & { prefix?: string }) {
  const input = <input {...useDescribed()} autoComplete="off" className={clsx(BOX, "h-8", prefix && "pl-6", className)} {...rest} />;
  if (!prefix) return input;
  return (
    <span className="relative block">
      <span aria-hidden className="absolute inset-y-0 left-2.5 flex items-center text-ink-3">{prefix}</span>
      {input}
    </span>
  );
}

export function Select({ className, children, ...rest }: SelectHTMLAttributes<HTMLSelectElement>) {
  return (
    <span className="relative block">
      <select {...useDescribed()} className={clsx(BOX, "h-8 appearance-none truncate pr-7", className)} {...rest}>
        {children}
      </select>
      <ChevronDown size={14} aria-hidden className="pointer-events-none absolute right-2 top-2.25 text-ink-3" />
    </span>
  );
}

export function Textarea({ className, ...rest }: TextareaHTMLAttributes<HTMLTextAreaElement>) {
  return <textarea {...useDescribed()} className={clsx(BOX, "min-h-20 py-1.5", className)} {...rest} />;
}

type CheckProps = { label: ReactNode; hint?: ReactNode; checked: boolean; onChange: (checked: boolean) => void; disabled?: boolean };

export function Check({ label, hint, checked, onChange, disabled }: CheckProps) {
  const id = useId();
  return (
    <div className="flex items-start gap-2.5">
      <input id={id} type="checkbox" checked={checked} disabled={disabled} onChange={(event) => onChange(event.target.checked)} aria-describedby={hint ? `${id}-hint` : undefined} className="mt-0.5 size-4 accent-accent" />
      <div>
        <label htmlFor={id} className="text-sm font-medium">{label}</label>
        {hint && <p id={`${id}-hint`} className="text-xs text-ink-3">{hint}</p>}
      </div>
    </div>
  );
}
