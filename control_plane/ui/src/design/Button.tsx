import { clsx } from "clsx";
import { LoaderCircle } from "lucide-react";
import type { ButtonHTMLAttributes, MouseEvent, ReactNode } from "react";

type Look = "primary" | "plain" | "quiet" | "danger";

const LOOKS: Record<Look, string> = {
  primary: "bg-accent text-on-accent hover:bg-accent-hover shadow-raised",
  plain: "bg-surface text-ink border border-line-strong hover:bg-sunken shadow-raised",
  quiet: "text-ink-2 hover:bg-sunken hover:text-ink",
  danger: "bg-danger text-white hover:bg-danger-hover shadow-raised",
};

export function buttonClass(look: Look = "plain", small = false): string {
  return clsx(
    "inline-flex shrink-0 select-none items-center justify-center gap-1.5 whitespace-nowrap rounded-md font-medium transition-colors",
    "disabled:opacity-50 aria-disabled:opacity-50",
    small ? "h-7 px-2 text-xs" : "h-8 px-3 text-sm",
    LOOKS[look],
  );
}

type Props = ButtonHTMLAttributes<HTMLButtonElement> & {
  look?: Look;
  small?: boolean;
  busy?: boolean;
  icon?: ReactNode;
};

/** The second press of a double one comes before the first has made the button busy: it sends no form again. */
function once(event: MouseEvent): void {
  if (event.detail > 1) event.preventDefault();
}

export function Button({ look, small, busy, icon, className, children, disabled, type = "button", ...rest }: Props) {
  return (
    <button type={type} className={clsx(buttonClass(look, small), className)} disabled={disabled || busy} aria-busy={busy || undefined} onClick={type === "submit" ? once : undefined} {...rest}>
      {busy ? <LoaderCircle size={14} className="animate-spin" aria-hidden /> : icon}
      {children}
    </button>
  );
}

export const ICON_BUTTON = "inline-flex size-8 shrink-0 items-center justify-center rounded-md text-ink-2 transition-colors hover:bg-sunken hover:text-ink";

type IconProps = ButtonHTMLAttributes<HTMLButtonElement> & { label: string };

/** A button with a picture alone; `label` is its name for everybody. */
export function IconButton({ label, className, children, ...rest }: IconProps) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={clsx(ICON_BUTTON, className)}
      {...rest}
    >
      {children}
    </button>
  );
}
