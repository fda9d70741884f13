import { clsx } from "clsx";
import { X } from "lucide-react";
import { Dialog as Primitive } from "radix-ui";
import type { ReactNode } from "react";
import { IconButton } from "./Button";

type Props = {
  open: boolean;
  onClose: () => void;
  title: string;
  description?: ReactNode;
  children: ReactNode;
  /** `side` slides in from the right and is as high as the window: for details. */
  place?: "middle" | "side";
  wide?: boolean;
  /** Neither Escape nor a press beside it closes: what it shows is shown once. */
  insists?: boolean;
};

const PLACES = {
  middle: "inset-x-3 top-[8vh] mx-auto max-h-[84vh] rounded-lg animate-appear",
  side: "inset-y-0 right-0 w-full border-y-0 border-r-0 animate-slide",
};

export function Dialog({ open, onClose, title, description, children, place = "middle", wide, insists }: Props) {
  const stay = insists ? (event: Event) => event.preventDefault() : undefined;
  return (
    <Primitive.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Primitive.Portal>
        {/* Not the library's overlay, whose scroll lock writes inline styles that the policy forbids. */}
        <div aria-hidden className="fixed inset-0 z-40 bg-black/35 backdrop-blur-[2px] dark:bg-black/60" />
        <Primitive.Content
          onEscapeKeyDown={stay}
          onPointerDownOutside={stay}
          onInteractOutside={stay}
          {...(description ? {} : { "aria-describedby": undefined })}
          className={clsx("fixed z-50 flex flex-col border border-line bg-raised shadow-float focus:outline-none", PLACES[place], wide ? "max-w-2xl" : "max-w-md")}
        >
          <header className="flex items-start justify-between gap-4 border-b border-line px-5 py-4">
            <div className="min-w-0">
              <Primitive.Title className="text-lg">{title}</Primitive.Title>
              {description && <Primitive.Description className="mt-0.5 text-ink-2">{description}</Primitive.Description>}
            </div>
            {!insists && (
              <Primitive.Close asChild>
                <IconButton label="Close" className="-mr-2 -mt-1"><X size={16} /></IconButton>
              </Primitive.Close>
            )}
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-5 py-4" tabIndex={-1}>{children}</div>
        </Primitive.Content>
      </Primitive.Portal>
    </Primitive.Root>
  );
}

export function DialogActions({ children }: { children: ReactNode }) {
  return <div className="mt-5 flex flex-wrap justify-end gap-2">{children}</div>;
}
