import { Tabs as Primitive } from "radix-ui";
import { useEffect, useRef, type ReactNode } from "react";

type Props<T extends string> = { label: string; value: T; tabs: readonly (readonly [T, ReactNode])[]; onChange: (tab: T) => void; children: ReactNode };

/** Which one is open belongs into the address: the page that uses them keeps it there. */
export function Tabs<T extends string>({ label, value, tabs, onChange, children }: Props<T>) {
  const list = useRef<HTMLDivElement>(null);
  // On a phone the tabs may be wider than the page; the one that is open is seen.
  useEffect(() => {
    const open = list.current?.querySelector<HTMLElement>("[data-state=active]");
    if (list.current && open) list.current.scrollLeft = open.offsetLeft + open.offsetWidth - list.current.clientWidth;
  }, [value]);
  return (
    <Primitive.Root value={value} onValueChange={(tab) => onChange(tab as T)}>
      <Primitive.List ref={list} aria-label={label} className="relative mb-5 flex gap-5 overflow-x-auto border-b border-line">
        {tabs.map(([tab, name]) => (
          <Primitive.Trigger key={tab} value={tab} className="-mb-px h-9 shrink-0 whitespace-nowrap border-b-2 border-transparent px-0.5 font-medium text-ink-2 transition-colors hover:text-ink focus-visible:-outline-offset-2 data-[state=active]:border-accent data-[state=active]:text-ink">
            {name}
          </Primitive.Trigger>
        ))}
      </Primitive.List>
      <Primitive.Content value={value} tabIndex={-1} className="outline-none">{children}</Primitive.Content>
    </Primitive.Root>
  );
}
