import { Search } from "lucide-react";

export const SEARCH = "flex h-8 items-center gap-2 rounded-md border border-line bg-surface px-2 text-ink-3 shadow-raised";

/** What the button that opens the palette shows. */
export function SearchFace() {
  return (
    <>
      <Search size={14} aria-hidden />
      <span className="flex-1 text-left">Search or jump to</span>
      <kbd className="rounded border border-line bg-sunken px-1 font-sans text-xs leading-4">⌘K</kbd>
    </>
  );
}
