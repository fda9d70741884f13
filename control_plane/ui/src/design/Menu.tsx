import { clsx } from "clsx";
import { Check } from "lucide-react";
import { DropdownMenu } from "radix-ui";
import { cloneElement, useId, useImperativeHandle, useRef, useState, type ComponentPropsWithRef, type KeyboardEvent, type PointerEvent, type ReactElement, type ReactNode, type Ref, type RefObject } from "react";

const ITEM = "flex h-8 select-none items-center gap-2 rounded-[5px] px-2 text-sm outline-none data-[highlighted]:bg-hover data-[disabled]:opacity-50";

type Press = ComponentPropsWithRef<"button">;
type Props = { trigger: ReactElement<Press>; children: ReactNode; align?: "start" | "end" };

/** A button stands in every row, and a menu only where one was looked at: it is made when the pointer or the focus comes near. */
export function Menu({ trigger, children, align = "end" }: Props) {
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const [isNear, setNear] = useState(false);
  const [isOpen, setOpen] = useState(false);
  const near = () => setNear(true);
  function open(event: PointerEvent | KeyboardEvent) {
    near();
    setOpen((before) => !before);
    event.preventDefault();
  }
  const press: Press = {
    id,
    ref: button,
    "aria-haspopup": "menu",
    "aria-expanded": isOpen,
    onPointerEnter: near,
    onFocus: near,
    onPointerDown: (event) => event.button === 0 && !event.ctrlKey && open(event),
    onKeyDown: (event) => ["Enter", " ", "ArrowDown"].includes(event.key) && open(event),
  };
  return (
    <>
      {cloneElement(trigger, press)}
      {isNear && (
        // Not modal: the lock of scrolling that comes with it writes inline styles, which the policy forbids.
        <DropdownMenu.Root modal={false} open={isOpen} onOpenChange={setOpen}>
          <DropdownMenu.Trigger asChild><Is button={button} /></DropdownMenu.Trigger>
          <DropdownMenu.Portal>
            <DropdownMenu.Content aria-labelledby={id} align={align} sideOffset={6} collisionPadding={8} className="z-50 min-w-48 rounded-lg border border-line bg-raised p-1 shadow-float animate-appear">
              {children}
            </DropdownMenu.Content>
          </DropdownMenu.Portal>
        </DropdownMenu.Root>
      )}
    </>
  );
}

/** Tells the library which button its menu belongs to, where that stands already. */
function Is({ button, ref }: { button: RefObject<HTMLButtonElement | null>; ref?: Ref<HTMLButtonElement> }) {
  useImperativeHandle(ref, () => button.current!);
  return null;
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
