import { clsx } from "clsx";

export function Mark({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className={clsx("shrink-0", className)}>
      <rect width="32" height="32" rx="8" fill="#4b4ded" />
      <circle cx="16" cy="16" r="8.5" fill="none" stroke="#fff" strokeWidth="2.6" />
      <circle cx="16" cy="16" r="3" fill="#fff" />
    </svg>
  );
}
