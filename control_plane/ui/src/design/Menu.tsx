import { clsx } from "clsx";
import { Check } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import type { ReactNode } from "react";

const ITEM = "flex h-8 select-none items-center gap-2 rounded-[5px] px-2 text-sm outline-none data-[highlighted]:bg-hover data-[disabled]:opacity-50";

export function Menu({ trigger, children, align = "end" }: { trigger: ReactNode; children: ReactNode; align?: "start" | "end" }) {
  return (
    // Not modal: the lock of scrolling that comes with it writes inline styles, which the policy forbids.
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content align={align} sideOffset={6} collisionPadding={8} className="z-50 min-w-48 rounded-lg border border-line bg-raised p-1 shadow-float animate-appear">
          {children}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}

type ItemProps = { icon?: ReactNode; onSelect: () => void; danger?: boolean; disabled?: boolean; children: ReactNode };

export function MenuItem({ icon, onSelect, danger, disabled, children }: ItemProps) {
  return (
    <DropdownMenu.Item onSelect={onSelect} disabled={disabled} className={clsx(ITEM, danger ? "text-bad" : "text-ink")}>
      {icon && <span className={danger ? "" : "text-ink-3"}>{icon}</span>}
      {children}
    </DropdownMenu.Item>
  );
}

type ChoiceProps<T extends string> = { label: string; value: T; options: readonly (readonly [T, string])[]; onChange: (value: T) => void };

export function MenuChoice<T extends string>({ label, value, options, onChange }: ChoiceProps<T>) {
  return (
    <DropdownMenu.RadioGroup value={value} onValueChange={(next) => onChange(next as T)}>
      <DropdownMenu.Label className="px-2 pb-1 pt-1.5 text-xs text-ink-3">{label}</DropdownMenu.Label>
      {options.map(([option, name]) => (
        <DropdownMenu.RadioItem key={option} value={option} className={clsx(ITEM, "justify-between")}>
          {name}
          <DropdownMenu.ItemIndicator><Check size={14} /></DropdownMenu.ItemIndicator>
        </DropdownMenu.RadioItem>
      ))}
    </DropdownMenu.RadioGroup>
  );
}

export function MenuLine() {
  return <DropdownMenu.Separator className="-mx-1 my-1 h-px bg-line" />;
}
